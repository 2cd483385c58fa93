"""Load on entities makes Ray nodes appear, and quiet makes them go, with clients' sockets on them: our scaling through
Ray's own autoscaler.

In a process of its own, since this one is connected to the cluster of the other tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.nodes import ROOT, RayNodes
from tests.support.servers import Servers

PEOPLE = 12
LAST = 1_000_000
HEAD = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"


@pytest.mark.slow
def test_load_makes_nodes_appear_and_quiet_makes_them_go(
    database_address: str, servers: Servers, tmp_path: Path
) -> None:
    """Each node has a realtime host while it works; its sockets go elsewhere before the node does."""
    nodes = RayNodes(
        environment={
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": HEAD,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        }
    )
    config = yaml.safe_load((Path(__file__).parent / "autoscaling.yaml").read_text())
    config["provider"]["gcs_address"] = nodes.address
    file = tmp_path / "autoscaling.json"
    file.write_text(json.dumps(config))
    try:
        nodes.start(cpus=0, options=["--autoscaling-config", str(file)])
        story = subprocess.run(
            [
                *(sys.executable, "-m", "tests.cluster.runtime.test_autoscaling"),
                *(nodes.address, database_address, servers.redis.address()),
            ],
            cwd=ROOT,
            env={**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert story.returncode == 0, story.stderr[-3000:]
        told = json.loads(story.stdout.splitlines()[-1])
        assert told["before"] == 1, "one host, one node"
        assert told["under load"] == 3
        assert told["after"] == 1
        assert told["wrong"] == 0, "state in memory came along with every move, and every push arrived once"
        assert told["nodes with sockets"] == 3
        assert told["connections"] > PEOPLE, "clients of nodes that went have gone on elsewhere"
        assert told["booked"] == told["attempted"] > 0
    finally:
        nodes.stop()


async def _story(address: str, database: str, redis: str) -> dict[str, int]:
    import ray

    from actors.runtime.coordination.ray_nodes import living_nodes
    from actors.runtime.options import ScalingPolicy
    from tests.cluster.conftest import eventually, running
    from tests.cluster.realtime.stack import SESSIONS, Person, note, read, stack_on
    from tests.cluster.runtime.books import append
    from tests.cluster.runtime.kinds import KINDS

    ray.init(address=address, namespace="tests", log_to_driver=False)

    def workers() -> int:
        known: list[dict[str, object]] = ray.nodes()  # type: ignore[no-untyped-call]
        return sum(bool(node["Alive"]) and node["NodeID"] != HEAD for node in known)

    # By its calls alone: how long they wait is the machine's business.
    policy = ScalingPolicy(
        min_hosts=1, max_hosts=3, calls_per_second=100.0, queue_wait=60.0, grow_after=1.0, shrink_after=1.0
    )
    told: dict[str, int] = {"wrong": 0}
    # A lease that no stall of a busy machine outlasts: what is counted here lives in memory only.
    options: dict[str, Any] = {"kinds": {**KINDS, **SESSIONS}, "redis": redis, "scaling": policy, "host_cpus": 2.0}
    async with (
        running(database, hosts=1, lease=30.0, coordinators=1, **options) as runtime,
        stack_on(runtime, leave_idle_after_s=1.0) as stack,
        stack.reconciled(),
    ):
        told["before"] = workers()
        counts, busy = [0] * 40, asyncio.Event()

        async def load(entity: int) -> None:
            while not busy.is_set():
                counts[entity] += 1
                reply = await runtime.router.call("tally", f"e{entity}", 1, timeout=60)
                told["wrong"] += reply != counts[entity]
                await asyncio.sleep(0.05)

        told["attempted"] = 0

        async def grown() -> bool:
            told["attempted"] += 1
            await append(runtime.router, "during", f"line {told['attempted']}")
            return workers() == 3 and await runtime.settled(3)

        tasks = [asyncio.create_task(load(entity)) for entity in range(40)]
        await eventually(grown, timeout=120)
        told["under load"] = workers()
        working = {node[:16] for node in living_nodes()} - {HEAD[:16]}

        async def listed() -> bool:
            places = await stack.hosts_by_place()
            return {node for node, _ in places} >= working and len(await stack.addresses()) == len(places)

        await eventually(listed, timeout=120)
        told["nodes with sockets"] = len(working)
        people = [Person(stack) for _ in range(PEOPLE)]
        clients = [await person.connect() for person in people]
        readers = [asyncio.create_task(read(client, lambda received: note(received) == LAST)) for client in clients]
        busy.set()
        await asyncio.gather(*tasks)
        pushed = 0

        async def shrunk() -> bool:
            nonlocal pushed
            pushed += 1
            await asyncio.gather(*(person.push(pushed, pushed) for person in people))
            await asyncio.sleep(0.5)  # few calls for a single host
            return workers() == 1

        await eventually(shrunk, timeout=150)
        told["after"] = workers()
        await asyncio.gather(*(person.push(LAST, LAST) for person in people))
        for received in await asyncio.wait_for(asyncio.gather(*readers), 60):
            told["wrong"] += [note(one) for one in received] != [*range(1, pushed + 1), LAST]
        told["connections"] = sum(client.connections for client in clients)
        await asyncio.gather(*(client.close() for client in clients))
        lines = [f"line {n}" for n in range(1, told["attempted"] + 1)]
        told["booked"] = len(lines) * (await runtime.router.call("book", "during", "read", timeout=60) == lines)
        for entity, count in enumerate(counts):
            told["wrong"] += await runtime.router.call("tally", f"e{entity}", "read", timeout=60) != count
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_story(*sys.argv[1:4]))))
