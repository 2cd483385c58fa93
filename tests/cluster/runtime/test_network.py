"""Network cuts: between two nodes that still reach all others, and between one node and all others.

The nodes are network namespaces joined by a bridge. In a process of its own, like test_autoscaling.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import HostRow
from actors.runtime.transport.router import Router
from cluster.local.machines import network
from tests.cluster.conftest import SECRET, RunningRuntime, eventually, running
from tests.cluster.nodes import ROOT, RayNodes
from tests.cluster.runtime.books import append

BOOKS = 30


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.mark.slow
def test_cuts_of_the_network_lose_and_double_nothing(database_address: str, tmp_path: Path) -> None:
    with network(["n1", "n2"], tmp_path) as (address, machines):
        nodes = RayNodes(ip=address)
        try:
            nodes.start(cpus=0)
            for machine in machines:
                options = ["--node-ip-address", machine.address]
                nodes.start(cpus=4, prefix=["ip", "netns", "exec", machine.name], options=options)
            links = [machine.name for machine in machines]
            story = subprocess.run(
                [sys.executable, "-m", "tests.cluster.runtime.test_network", nodes.address, database_address, *links],
                cwd=ROOT,
                env={**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=280,
                check=False,
            )
            assert story.returncode == 0, story.stderr[-3000:]
            told = json.loads(story.stdout.splitlines()[-1])
            assert told["stored"] == told["acknowledged"], "every acknowledged operation, once"
            assert told["read"] == told["stored"]
            assert told["epochs in order"]
            assert told["called off"], "no shard moves over a dead link"
            assert told["not waited for"], "who need not wait for a node that is out of reach"
        finally:
            nodes.stop()


@contextlib.asynccontextmanager
async def reachable(address: str, bridge: str) -> AsyncIterator[str]:
    """The database, which listens on the loopback interface only, under the address `bridge`."""
    server, _, database = address.rpartition("@")[2].partition("/")
    host, _, port = server.partition(":")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    listener = await asyncio.start_server(relay, bridge, 0)
    relayed = f"{bridge}:{listener.sockets[0].getsockname()[1]}"
    yield f"{address.rpartition('@')[0]}@{relayed}/{database}"
    listener.close()


class Caller:
    """A process on one node that calls entities."""

    async def __init__(self, runtime: str) -> None:  # type: ignore[misc]
        self._router = await Router.connect(runtime, secret=SECRET, timeout_s=60)

    async def append(self, operation: str) -> list[str]:
        """Writes one line in each book; what was acknowledged."""

        async def one(n: int) -> str:
            line = f"{operation} {n}"
            await append(self._router, f"b{n}", line, timeout=100)
            return line

        return list(await asyncio.gather(*(one(n) for n in range(BOOKS))))


class Story:
    """What happens to a runtime with a host on each of two worker nodes."""

    def __init__(self, runtime: RunningRuntime, links: list[str], first: HostRow, second: HostRow) -> None:
        """``links`` in the order of the hosts."""
        self.runtime = runtime
        self.links = links
        self.first = first.name
        self.second = second.name
        self.acknowledged: list[str] = []
        self.callers = [self._caller(row.node) for row in (first, second)]

    def _caller(self, node: str) -> Any:
        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        return ray.remote(Caller).options(num_cpus=0, scheduling_strategy=strategy).remote(self.runtime.options.name)

    async def append(self, phase: str) -> None:
        """Everybody, on both nodes and on the head, writes in all books."""

        async def one(n: int) -> None:
            operation = f"{phase}, head {n}"
            await append(self.runtime.router, f"b{n}", operation, timeout=100)
            self.acknowledged.append(operation)

        said = [caller.append.remote(f"{phase}, node {number}") for number, caller in enumerate(self.callers)]
        await asyncio.gather(*(one(n) for n in range(BOOKS)))
        for lines in await asyncio.gather(*said):
            self.acknowledged += lines

    async def host(self, name: str) -> HostRow:
        """A host's present incarnation."""
        (found,) = (row for row in await self.runtime.hosts() if row.name == name)
        return found

    async def move(self, shard: int) -> str:
        """Has a shard of the first host moved to the second; who has it when that is over."""
        row = await self.runtime.row("book", shard)
        await self.runtime.ask_for_move("book", shard, (await self.host(self.second)).host)

        async def over() -> bool:
            now = await self.runtime.row("book", shard)
            return now.epoch > row.epoch and not now.moving_to

        await eventually(over, timeout=90)
        return await self.runtime.owner("book", shard)

    async def cut_between_the_nodes(self) -> dict[str, bool]:
        shards = [shard_of(f"b{n}") for n in range(BOOKS)]
        owners = [await self.runtime.owner("book", shard) for shard in shards]
        shard = shards[owners.index(self.first)]
        for link in self.links:
            ip("link", "set", link, "type", "bridge_slave", "isolated", "on")
        moving = asyncio.create_task(self.move(shard))
        await self.append("apart")
        called_off = await moving == self.first
        await self.append("still apart")
        for link in self.links:
            ip("link", "set", link, "type", "bridge_slave", "isolated", "off")
        await self.append("together")
        while await self.runtime.owner("book", shard) != self.second:
            await self.move(shard)
        await self.append("moved")
        return {"called off": called_off}

    async def cut_off_from_all(self) -> dict[str, bool]:
        victim = await self.host(self.second)
        owners = [await self.runtime.owner("book", shard_of(f"b{n}")) for n in range(BOOKS)]
        ip("link", "set", self.links[1], "down")
        del self.callers[1]
        book = f"b{owners.index(self.second)}"
        try:
            await self.runtime.router.call("book", book, "read", timeout=100, patient=False)
        except HostUnavailable:
            not_waited_for = victim.host in {row.host for row in await self.runtime.hosts()}
        else:
            not_waited_for = False
        await self.append("cut off")
        assert victim.host not in {row.host for row in await self.runtime.hosts()}
        ip("link", "set", self.links[1], "up")

        async def back() -> bool:
            return any(row.name == victim.name and row.host != victim.host for row in await self.runtime.hosts())

        await eventually(back, timeout=90)
        await self.append("after")
        return {"not waited for": not_waited_for}


async def _story(address: str, database: str, *links: str) -> dict[str, Any]:
    ray.init(address=address, namespace="tests", log_to_driver=False)
    bridge = address.partition(":")[0]
    prefix = bridge.rpartition(".")[0]
    # A lease that no stall of a busy machine outlasts: only the cuts are to end one.
    async with reachable(database, bridge) as dsn, running(dsn, lease=6.0) as runtime:
        hosts = [row for n in (2, 3) for row in await runtime.hosts() if row.address.startswith(f"{prefix}.{n}:")]
        story = Story(runtime, list(links), *hosts)
        await story.append("before")
        told = await story.cut_between_the_nodes()
        told |= await story.cut_off_from_all()
        rows = await runtime.store._pool.fetch("SELECT book, operation, epoch FROM book_lines ORDER BY number")
        read = [line for n in range(BOOKS) for line in await runtime.router.call("book", f"b{n}", "read", timeout=60)]
        epochs: dict[str, list[int]] = {}
        for row in rows:
            epochs.setdefault(row["book"], []).append(row["epoch"])
        return told | {
            "acknowledged": sorted(story.acknowledged),
            "stored": sorted(row["operation"] for row in rows),
            "read": sorted(read),
            "epochs in order": all(each == sorted(each) for each in epochs.values()),
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_story(*sys.argv[1:]))))
