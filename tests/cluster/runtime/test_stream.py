"""The data plane over real sockets in one process: hosts without Ray, routers with a map from the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import (
    DeadlineExceeded,
    EntityFailed,
    FrameTooLarge,
    HostUnavailable,
    Refused,
    UnknownKind,
)
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ray_calls import answer_batch
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.kind import EffectHandler, EntityKind, Reply
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport import host_links
from actors.runtime.transport.frames import (
    CALLS,
    ERROR,
    HELLO,
    PROTOCOL,
    PROVE,
    FrameBuffer,
    frame,
    pack,
    pack_body,
    proof,
    unpack,
)
from actors.runtime.transport.router import Router
from actors.runtime.transport.stream import HostConnection
from actors.runtime.value import Value
from tests.support.kind_context import kind_context

SECRET = b"the cluster's secret"


class Slowly(EffectHandler):
    """Carries out ["wait", seconds]."""

    async def act(self, turn: Any) -> Sequence[Value]:
        for seconds in turn.effects:
            await asyncio.sleep(seconds)
        return ()


class Counter:
    def __init__(self) -> None:
        self.total = 0

    def receive(self, message: Value, now: float) -> list[Any]:
        match message:
            case int():
                self.total += message
                return [Reply(self.total)]
            case ["wait", float(seconds)]:
                self.total += 1
                return [seconds, Reply(self.total)]
            case ["echo", value]:
                return [Reply(value)]
            case "refuse":
                raise Refused("no", "today")
            case "fail":
                raise ZeroDivisionError
            case "flood":
                return [Reply(b"x" * (1 << 20))]
        return []

    def snapshot(self) -> Value:
        return self.total


async def _slowly(_context: object) -> EffectHandler:
    return Slowly(kind_context())


KIND = EntityKind("counter", create=lambda _id, _context: Counter(), restore=lambda *_: Counter(), passivate_after=None)


class Host:
    """A host's mailboxes behind real listeners, owning every shard."""

    def __init__(self, folder: Path) -> None:
        self.mailboxes = Mailboxes("host-a", lambda _kind, _number: "")
        self.mailboxes.add_kind(TurnRunner(KIND, Slowly(kind_context()), None))
        self.mailboxes.serve_until = time.monotonic() + 1000
        for number in range(SHARDS):
            shard = self.mailboxes.shard("counter", number)
            shard.ownership.mapped(ShardRow("counter", number, "host-a", 1), "host-a")
            shard.ownership.loaded(1)
            self.mailboxes.let_in(shard)
        self.connections: set[HostConnection] = set()
        self.socket = str(folder / "host.sock")
        self.port = 0
        self.servers: list[asyncio.Server] = []

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()

        def connection() -> HostConnection:
            return HostConnection(SECRET, self.mailboxes.deliver, self.connections)

        tcp = await loop.create_server(connection, "127.0.0.1", self.port)
        self.port = tcp.sockets[0].getsockname()[1]
        self.servers = [tcp, await loop.create_unix_server(connection, self.socket)]

    def stop(self) -> None:
        for server in self.servers:
            server.close()
        self.cut()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def cut(self) -> None:
        for connection in list(self.connections):
            if connection.transport is not None:
                connection.transport.abort()


class Control:
    """A map that names one host; Ray calls reach it if ``reachable``."""

    def __init__(self, host: Host, node: str) -> None:
        self.host = host
        self.node = node
        self.reachable = False
        self.batches = 0

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        if known.version >= 1:
            await asyncio.sleep(3600)
        endpoint = Endpoint("host-0", "node-1", f"127.0.0.1:{self.host.port}", self.host.socket)
        return MapView(1, {"host-a": endpoint}, {"counter": ["host-a"] * SHARDS}), True

    async def check_watch(self) -> None:
        """It is here."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        if not self.reachable:
            raise HostUnavailable("no Ray here")
        self.batches += 1
        return await answer_batch(self.host.mailboxes, caller, unpack(frame[4:]))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path)
    await host.listen()
    yield host
    host.stop()
    await host.mailboxes.close()


class PatientRouter(Router):
    """A router whose calls have a minute, unless a test wants less: this process may stall for seconds."""

    def call(
        self, kind: str, entity_id: str, message: Value, timeout: float = 60.0, *, patient: bool = True
    ) -> asyncio.Future[Value]:
        """See Router."""
        return super().call(kind, entity_id, message, timeout, patient=patient)


@contextlib.asynccontextmanager
async def routed(
    host: Host, node: str = "node-1", secret: bytes = SECRET, *, reachable: bool = False, direct: bool = True
) -> AsyncIterator[Router]:
    control = Control(host, node)
    control.reachable = reachable
    router = PatientRouter(control, secret, direct=direct)
    await router.start(60)
    try:
        yield router
    finally:
        await router.close()


@pytest.mark.parametrize("node", ["node-1", "node-2"], ids=["unix socket", "tcp"])
async def test_calls_are_answered(host: Host, node: str) -> None:
    async with routed(host, node) as router:
        assert await asyncio.gather(*(router.call("counter", "a", 1) for _ in range(100))) == list(range(1, 101))
        value = {"text": "é", "bytes": b"\x00", "list": [1, None, 2.5]}
        assert await router.call("counter", "b", ["echo", value]) == value
        families = {c.transport.get_extra_info("socket").family for c in host.connections if c.transport}
        assert families == {socket.AF_UNIX if node == "node-1" else socket.AF_INET}


async def test_every_fault_is_typed_and_leaves_the_connection_alone(host: Host) -> None:
    async with routed(host) as router:
        with pytest.raises(Refused) as refused:
            await router.call("counter", "a", "refuse")
        assert refused.value.code == "no"
        with pytest.raises(EntityFailed):
            await router.call("counter", "a", "fail")
        with pytest.raises(UnknownKind):
            await router.call("nothing", "a", 1)
        with pytest.raises(FrameTooLarge):
            await router.call("counter", "a", b"x" * (5 << 20))
        with pytest.raises(TypeError):
            await router.call("counter", "a", {1, 2})
        with pytest.raises(DeadlineExceeded):
            await router.call("counter", "a", ["wait", 60.0], timeout=0.05)
        with pytest.raises((DeadlineExceeded, HostUnavailable)):
            await router.call("counter", "b", 1, timeout=0.0)
        assert await router.call("counter", "c", 1) == 1
        assert len(host.connections) == 1
        assert router.in_flight == 0


async def test_a_break_loses_no_call_and_runs_none_twice(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # A hundred breaks, each of a connection that has just been made, would be dialled with pauses of seconds.
    monkeypatch.setattr(host_links, "_LONGEST_PAUSE", 0.02)
    async with routed(host) as router:
        totals: list[int] = []

        async def work() -> None:
            for _ in range(100):
                total = await router.call("counter", "a", 1, timeout=60.0)
                totals.append(total)

        async def break_often() -> None:
            while len(totals) < 2000:
                answered = len(totals)
                while len(totals) == answered:
                    await asyncio.sleep(0.005)
                host.cut()

        await asyncio.gather(break_often(), *(work() for _ in range(20)))
        assert sorted(totals) == list(range(1, 2001))


async def test_a_call_under_way_when_the_connection_breaks_is_answered_on_the_next(host: Host) -> None:
    async with routed(host) as router:
        call = router.call("counter", "a", ["wait", 0.2])
        while not host.mailboxes.shard("counter", 1) or not host.connections:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        host.cut()
        assert await call == 1
        assert await router.call("counter", "a", 1) == 2


async def test_a_router_that_leaves_takes_no_one_elses_call_with_it(host: Host) -> None:
    async with routed(host) as stays:
        async with routed(host) as leaves:
            mine = stays.call("counter", "a", ["wait", 0.1])
            theirs = leaves.call("counter", "b", ["wait", 60.0])
            await asyncio.sleep(0.03)
        with pytest.raises(HostUnavailable):
            await theirs
        assert await mine == 1


async def test_a_wrong_secret_gets_nowhere_and_says_so_by_the_deadline(host: Host) -> None:
    async with routed(host, secret=b"guess") as stranger, routed(host) as router:
        with pytest.raises(HostUnavailable):
            await stranger.call("counter", "a", 1, timeout=0.3)
        assert await router.call("counter", "a", "read") is None
        assert await router.call("counter", "a", 1) == 1, "the stranger's call did not run"


async def _raw(host: Host, *chunks: bytes) -> list[list[Any]]:
    """Connects, sends bytes, and returns every frame until the host closes."""
    reader, writer = await asyncio.open_unix_connection(host.socket)
    for chunk in chunks:
        writer.write(chunk)
    frames: list[list[Any]] = []
    buffer = FrameBuffer()
    with contextlib.suppress(ConnectionError):
        while data := await asyncio.wait_for(reader.read(1 << 16), 60):
            frames += [unpack(payload) for payload in buffer.feed(data)]
    writer.close()
    return frames


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 100,
        frame(b"\xc1"),
        frame(pack((CALLS, 1, [1, "counter", "a", 5000, pack_body(1)]))),
        frame(pack((PROVE, PROTOCOL, b"12345678", b"n" * 16, b"m" * 32))),
        frame(pack((PROVE, "one", 2, 3, 4))),
        frame(pack((99,))),
        (1 << 20).to_bytes(4, "big"),
    ],
    ids=["http", "ones", "no msgpack", "calls first", "wrong proof", "odd proof", "unknown frame", "too large"],
)
async def test_garbage_ends_its_own_connection_with_a_fault(host: Host, garbage: bytes) -> None:
    async with routed(host) as router:
        assert await router.call("counter", "a", 1) == 1
        frames = await _raw(host, garbage)
        assert [items[0] for items in frames] == [HELLO, ERROR]
        assert await router.call("counter", "a", 1) == 2


@pytest.mark.parametrize(
    "bad",
    [
        frame(pack((99, 1))),
        frame(pack((CALLS,))),
        frame(pack((CALLS, "x"))),
        frame(pack((CALLS, 1, "call"))),
        (1 << 30).to_bytes(4, "big"),
    ],
    ids=["unknown frame", "no number", "odd number", "odd call", "too large"],
)
async def test_a_proven_peer_that_sends_garbage_is_cut_off_alone(host: Host, bad: bytes) -> None:
    async with routed(host) as router:
        assert await router.call("counter", "a", 1) == 1
        reader, writer = await asyncio.open_unix_connection(host.socket)
        buffer = FrameBuffer()
        (payload,) = buffer.feed(await reader.read(1000))
        host_nonce = unpack(payload)[2]
        mac = proof(SECRET, b"router", host_nonce, b"n" * 16, b"12345678", PROTOCOL)
        writer.write(frame(pack((PROVE, PROTOCOL, b"12345678", b"n" * 16, mac))))
        await reader.read(1000)
        writer.write(bad)
        frames = [unpack(p) for p in buffer.feed(await asyncio.wait_for(reader.read(1000), 60))]
        assert [items[0] for items in frames] == [ERROR]
        writer.close()
        assert await router.call("counter", "a", 1) == 2


async def test_a_peer_that_does_not_read_its_answers_is_bounded_and_harms_no_one(host: Host) -> None:
    async with routed(host) as router:
        reader, writer = await asyncio.open_unix_connection(host.socket)
        (payload,) = FrameBuffer().feed(await reader.read(1000))
        mac = proof(SECRET, b"router", unpack(payload)[2], b"n" * 16, b"12345678", PROTOCOL)
        writer.write(frame(pack((PROVE, PROTOCOL, b"12345678", b"n" * 16, mac))))
        await reader.read(1000)
        with contextlib.suppress(ConnectionError, TimeoutError):
            for number in range(1, 400):
                writer.write(frame(pack((CALLS, 1, [number, "counter", "a", 60_000, pack_body("flood")]))))
                await asyncio.wait_for(writer.drain(), 0.2)
        greedy = [c for c in host.connections if c.transport and c.transport.get_write_buffer_size() > 0]
        assert all(c.transport.get_write_buffer_size() < 80 << 20 for c in greedy if c.transport)
        assert await router.call("counter", "b", 1) == 1
        writer.close()


async def test_without_a_reachable_port_calls_go_by_ray_coalesced(host: Host) -> None:
    host.stop()
    async with routed(host, reachable=True) as router:
        control: Any = router._control
        totals = await asyncio.gather(*(router.call("counter", "a", 1) for _ in range(500)))
        assert sorted(totals) == list(range(1, 501))
        assert control.batches < 50
        await host.listen()
        async with asyncio.timeout(60):
            while not host.connections:
                await router.call("counter", "a", 1)
                await asyncio.sleep(0.02)


async def test_with_no_way_to_the_host_calls_fail_by_their_deadline(host: Host) -> None:
    host.stop()
    async with routed(host) as router:
        with pytest.raises(HostUnavailable):
            await router.call("counter", "a", 1, timeout=0.5)
        await host.listen()
        assert await router.call("counter", "a", 1) == 1


async def test_closing_the_router_fails_what_is_in_flight(host: Host) -> None:
    async with routed(host) as router:
        call = router.call("counter", "a", ["wait", 60.0])
        await asyncio.sleep(0.05)
    with pytest.raises(HostUnavailable):
        await call
