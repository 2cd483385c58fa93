"""A rolling update from one version of the code to the next, over two nodes, under load from processes of both.

Each node has a checkout of its own, in which the next version replaces the last one in place, as `ray up` and rsync do.
The last version speaks the protocol before the newest, so that hosts and routers of two protocols meet. The processes
that call are drivers of their own, like replicas from before and after the update; their working folder is empty,
since Ray adds it to the paths of workers.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.errors import CallError
from tests.cluster.nodes import ROOT, RayNodes
from tests.cluster.runtime.books import append

PACKAGES = ("actors", "api", "brands", "cluster", "crypto", "deployments", "features", "tests/cluster", "tests/support")
NAME = "updated"
HOSTS = 2
ENTITIES = 24


def checkout(folder: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    return folder


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{pattern} is not once in {path}"
    path.write_text(text)


def driver(code: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs ``code`` and calls the runtime until its input is closed."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.runtime.test_code_update", *arguments],
        cwd=folder,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )


def heard(process: subprocess.Popen[str], word: str) -> dict[str, Any]:
    """The next thing that a driver says, which is to be this."""
    assert process.stdout is not None
    while line := process.stdout.readline():
        if line.startswith("{"):
            told: dict[str, Any] = json.loads(line)
            assert told["said"] == word, told
            return told
    raise AssertionError(f"the driver ended with {process.wait()}")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_update_over_two_nodes_under_load_loses_no_call(database_address: str, tmp_path: Path) -> None:
    old, new = checkout(tmp_path / "old"), checkout(tmp_path / "new")
    edit(old / "actors/runtime/transport/frames.py", r"^PROTOCOL = 3$", "PROTOCOL = 2")
    edit(new / "tests/cluster/runtime/kinds.py", r"^RELEASE = 1$", "RELEASE = 2")
    disks = [shutil.copytree(old, tmp_path / f"node-{number}") for number in range(3)]
    nodes, drivers = RayNodes(environment={"PYTHONDONTWRITEBYTECODE": "1"}), []
    try:
        for disk in disks:
            nodes.start(cpus=0 if disk == disks[0] else 4, prefix=["env", f"PYTHONPATH={disk}"])
        where = (nodes.address, database_address)
        before = driver(old, tmp_path / "before", "start", *where)
        drivers.append(before)
        began = heard(before, "serving")
        assert began["releases"] == [1]

        for disk in disks:
            shutil.copytree(new, disk, dirs_exist_ok=True)
        after = driver(new, tmp_path / "after", "update", *where)
        drivers.append(after)
        updated = heard(after, "updated")

        results = []
        for process, word in ((before, "served"), (after, "served")):
            assert process.stdin is not None
            process.stdin.close()
            results.append(heard(process, word))
        for result in results:
            assert result["failed"] == []
            assert result["wrong"] == 0, "what entities remember came along with every move, and no call ran twice"
            assert result["booked"] == result["attempted"] > 0
            assert result["releases"] == [2]
        assert updated["version"] != began["version"]
        assert set(updated["coordinators"]) == {updated["version"]}
        assert not set(updated["pids"]) & set(began["pids"])
        assert [process.wait(timeout=60) for process in drivers] == [0, 0]
    except AssertionError as error:
        for folder in ("before", "after"):
            if (tmp_path / folder / "stderr").exists():
                error.add_note((tmp_path / folder / "stderr").read_text()[-3000:])
        raise
    finally:
        for process in drivers:
            process.kill()
        nodes.stop()


def say(word: str, **what: Any) -> None:
    sys.stdout.write(json.dumps({"said": word, **what}) + "\n")
    sys.stdout.flush()


class Load:
    """Calls to entities of one driver: tallies, which live in memory only, and a book."""

    def __init__(self, name: str, router: Any) -> None:
        self._name = name
        self._router = router
        self._done = asyncio.Event()
        self._counts = [0] * ENTITIES
        self._lines = 0
        self.failed: list[str] = []
        self.wrong = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for entity in range(ENTITIES):
                group.create_task(self._count(entity))
            group.create_task(self._book())

    async def _call(self, kind: str, entity: str, message: Any) -> Any:
        try:
            return await self._router.call(kind, f"{self._name} {entity}", message, timeout=60)
        except CallError as error:
            self.failed.append(f"{type(error).__name__}: {error}")
            return None

    async def _count(self, entity: int) -> None:
        while not self._done.is_set():
            self._counts[entity] += 1
            self.wrong += await self._call("tally", f"e{entity}", 1) != self._counts[entity]
            await asyncio.sleep(0.02)

    async def _book(self) -> None:
        while not self._done.is_set():
            self._lines += 1
            try:
                await append(self._router, f"{self._name} during", f"line {self._lines}")
            except CallError as error:
                self.failed.append(f"{type(error).__name__}: {error}")

    async def releases(self) -> list[int]:
        """The editions of kinds.py that answer."""
        answers = [await self._call("tally", f"e{entity}", "release") for entity in range(ENTITIES)]
        return sorted({release for release, _ in answers})

    async def end(self) -> dict[str, Any]:
        self._done.set()
        await asyncio.sleep(0.5)
        for entity, count in enumerate(self._counts):
            self.wrong += await self._call("tally", f"e{entity}", "read") != count
        stored = await self._call("book", "during", "read")
        booked = len(stored) if stored == [f"line {n}" for n in range(1, self._lines + 1)] else -1
        return {"attempted": self._lines, "booked": booked, "failed": self.failed[:3], "wrong": self.wrong}


async def _drive(role: str, address: str, database: str) -> None:
    import ray

    from actors.runtime.options import RuntimeOptions, ScalingPolicy
    from actors.runtime.start import RuntimeReconciler, start_runtime
    from actors.runtime.store.code_versions import deploy_code, target_version
    from actors.runtime.store.shard_store import ShardStore
    from actors.runtime.transport.ray_control import host_name
    from actors.runtime.transport.router import Router
    from cluster.code_version import CODE_VERSION
    from cluster.postgres import connect_database
    from tests.cluster.conftest import SECRET, RunningRuntime, eventually
    from tests.cluster.runtime.kinds import BOOK_TABLE, KINDS

    ray.init(address=address, namespace="tests", log_to_driver=False)
    options = RuntimeOptions(
        name=NAME,
        kinds=KINDS,
        database=database,
        redis="redis://127.0.0.1",  # none of these kinds uses it
        secret=SECRET,
        scaling=ScalingPolicy(min_hosts=HOSTS, max_hosts=HOSTS),
        # A lease that no stall of a busy machine outlasts: what is counted here lives in memory only.
        lease=30.0,
    )
    store = await ShardStore.open(database, application="tests")
    if role == "start":
        await store._pool.execute(BOOK_TABLE)
        start_runtime(options)
    router = await Router.connect(NAME, secret=SECRET, timeout_s=120)
    runtime = RunningRuntime(options, router, store)
    await eventually(lambda: runtime.settled(HOSTS), timeout=120)
    load = Load(role, router)
    running = asyncio.create_task(load.run())

    async def pids() -> list[int]:
        return [await runtime.pid(row.name) for row in await runtime.hosts()]

    if role == "start":
        say("serving", version=CODE_VERSION, releases=await load.releases(), pids=await pids())
    else:
        async with connect_database(database, pool_size=1) as brand:
            async with brand.unit_of_work() as unit:
                await deploy_code(unit, CODE_VERSION)
                await unit.commit()
            reconciler = RuntimeReconciler()

            async def updated() -> bool:
                async with brand.unit_of_work(read_only=True) as unit:
                    assert await target_version(unit) == CODE_VERSION
                if await reconciler.reconcile(options, CODE_VERSION):
                    await asyncio.sleep(2)
                    return False
                hosts = {(row.name, row.code_version) for row in await runtime.hosts()}
                usual = {(host_name(index), CODE_VERSION) for index in range(HOSTS)}
                return hosts == usual and await runtime.settled(HOSTS)

            await eventually(updated, timeout=240)
        coordinators = [
            (await ray.get_actor(f"coordinator-{number}", namespace=NAME).status.remote())["code_version"]
            for number in range(options.coordinators)
        ]
        say(
            "updated",
            version=CODE_VERSION,
            coordinators=coordinators,
            pids=await pids(),
        )
    await asyncio.to_thread(sys.stdin.read)
    releases = await load.releases()
    say("served", releases=releases, **await load.end())
    await running
    await router.close()
    await store.close()
    ray.shutdown()


if __name__ == "__main__":
    asyncio.run(_drive(*sys.argv[1:4]))
