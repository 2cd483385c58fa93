"""A network cut: a node lives on behind a dead link, is replaced, and comes back without having done harm.

The nodes are network namespaces joined by a bridge. In a process of its own, like test_autoscaling.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.cluster.nodes import ROOT, RayNodes

PREFIX = "10.231.77"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def bridge(names: list[str], tag: str) -> Iterator[None]:
    """A namespace per name, at PREFIX.2 and on, on one bridge whose own address is PREFIX.1."""
    ip("link", "add", f"br{tag}", "type", "bridge")
    try:
        ip("addr", "add", f"{PREFIX}.1/24", "dev", f"br{tag}")
        ip("link", "set", f"br{tag}", "up")
        for number, name in enumerate(names, start=2):
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", name, "master", f"br{tag}", "up")
            ip("-n", name, "addr", "add", f"{PREFIX}.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        ip("link", "del", f"br{tag}")


@pytest.mark.slow
def test_a_node_behind_a_dead_link_is_replaced_and_does_no_harm_when_it_is_back(database_address: str) -> None:
    tag = secrets.token_hex(3)
    names = [f"n1{tag}", f"n2{tag}"]
    nodes = RayNodes(ip=f"{PREFIX}.1")
    with bridge(names, tag):
        try:
            nodes.start(cpus=0)
            for number, name in enumerate(names, start=2):
                options = ["--node-ip-address", f"{PREFIX}.{number}"]
                nodes.start(cpus=4, prefix=["ip", "netns", "exec", name], options=options)
            story = subprocess.run(
                [sys.executable, "-m", "tests.cluster.runtime.test_network", nodes.address, database_address, *names],
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
        finally:
            nodes.stop()


@contextlib.asynccontextmanager
async def reachable(address: str) -> AsyncIterator[str]:
    """The database, which listens on the loopback interface only, under the bridge's address."""
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

    listener = await asyncio.start_server(relay, f"{PREFIX}.1", 0)
    relayed = f"{PREFIX}.1:{listener.sockets[0].getsockname()[1]}"
    yield f"{address.rpartition('@')[0]}@{relayed}/{database}"
    listener.close()


async def _story(address: str, database: str, *names: str) -> dict[str, object]:
    import ray

    from tests.cluster.conftest import eventually, running

    ray.init(address=address, namespace="tests", log_to_driver=False)
    acknowledged: list[str] = []
    async with reachable(database) as dsn, running(dsn) as runtime:

        async def write(phase: str) -> None:
            async def one(n: int) -> None:
                operation = f"{phase} {n}"
                await runtime.router.call("book", f"b{n}", operation, timeout=60)
                acknowledged.append(operation)

            await asyncio.gather(*(one(n) for n in range(30)))

        await write("before")
        (victim,) = (row for row in await runtime.hosts() if row.address.startswith(f"{PREFIX}.3:"))
        ip("link", "set", names[1], "down")
        await write("during")
        assert victim.host not in {row.host for row in await runtime.hosts()}
        ip("link", "set", names[1], "up")

        async def back() -> bool:
            return any(row.name == victim.name and row.host != victim.host for row in await runtime.hosts())

        await eventually(back, within=90)
        await write("after")
        rows = await runtime.store._pool.fetch("SELECT book, operation, epoch FROM book_lines ORDER BY number")
        read = [line for n in range(30) for line in await runtime.router.call("book", f"b{n}", "read", timeout=60)]
        epochs: dict[str, list[int]] = {}
        for row in rows:
            epochs.setdefault(row["book"], []).append(row["epoch"])
        return {
            "acknowledged": sorted(acknowledged),
            "stored": sorted(row["operation"] for row in rows),
            "read": sorted(read),
            "epochs in order": all(each == sorted(each) for each in epochs.values()),
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_story(*sys.argv[1:]))))
