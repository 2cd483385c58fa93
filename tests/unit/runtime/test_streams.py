"""A router and a host over connections in memory: whatever one call carries, the others have their answers."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any, cast

import pytest

from actors.runtime import Reply
from actors.runtime.errors import (
    BadFrame,
    CallError,
    DeadlineExceeded,
    EntityFailed,
    FrameTooLarge,
    HandshakeFailed,
    HostUnavailable,
    to_wire,
)
from actors.runtime.hosting.deduplication import Origin
from actors.runtime.hosting.reads import answer_read
from actors.runtime.shard_map import SHARDS, Endpoint, MapView, shard_of
from actors.runtime.transport.calls import MAX_SECONDS
from actors.runtime.transport.frames import DONE, pack_answer
from actors.runtime.transport.link import Link
from actors.runtime.transport.reads import read
from actors.runtime.transport.router import NoControlPlane, Router
from actors.runtime.transport.stream import HostConnection
from tests.unit.runtime.test_mailboxes import Host, Notebook

SECRET = b"secret"


def serve_reads(host: Host) -> None:
    """Has a host answer reads, as ShardOwner does."""

    def answer(origin: Origin, call: int, _what: str, body: Any) -> None:
        origin.answer(pack_answer(call, DONE, answer_read(host.mailboxes, body)))

    host.mailboxes.on_runtime_call = answer


def nothing_here(origin: Origin, call: int, what: str, _body: Any) -> None:
    """What a host answers to a call to its runtime that it does not know."""
    origin.answer(pack_answer(call, *to_wire(HostUnavailable(f"nothing here answers {what!r}"))))


class Pipe:
    """One end's transport: what it writes arrives at the other end in a later turn of the loop."""

    def __init__(self, other: asyncio.Protocol, me: asyncio.Protocol) -> None:
        self._other = other
        self._me = me
        self._closed = False
        self.written: list[bytes] = []

    def get_extra_info(self, _name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        if self._closed:
            return
        self.written.append(data)
        asyncio.get_running_loop().call_soon(self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        if getattr(self._other, "transport", None) is not None:
            self._other.data_received(data)

    def abort(self) -> None:
        if not self._closed:
            self._closed = True
            for end in (self._me, self._other):
                asyncio.get_running_loop().call_soon(self._end, end)

    close = abort

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None:
        """What arrives nevertheless waits at the connection."""

    def resume_reading(self) -> None:
        """See pause_reading()."""

    @staticmethod
    def _end(end: asyncio.Protocol) -> None:
        if getattr(end, "transport", None) is not None:
            end.connection_lost(None)


class Wired(Router):
    """A router that reaches one host's mailboxes."""

    def __init__(self, host: Host, *, dies: bool = False) -> None:
        super().__init__(NoControlPlane("node"), SECRET)
        self.host = host
        self.dials: list[float] = []
        """When each connection was opened, in the loop's seconds."""
        self._dies = dies
        self._links._open = self._open  # type: ignore[method-assign]
        self.follow(MapView(1, {"host-a": Endpoint("host-a", "", "", "")}, {"notebook": ["host-a"] * SHARDS}))

    async def _open(self, host: str, endpoint: Endpoint) -> Link:
        self.dials.append(self._loop.time())
        link = Link(
            SECRET,
            self._links._caller,
            lambda items: self._answered(host, items),
            lambda: self._due(host),
            lambda link: self._links._lost(host, link),
        )
        connection = HostConnection(SECRET, self.host.mailboxes.deliver, set())
        link.connection_made(cast(Any, Pipe(connection, link)))
        connection.connection_made(cast(Any, Pipe(link, connection)))
        await link.ready
        if self._dies:
            self._loop.call_soon(link.abort, HandshakeFailed("a proxy that lets nobody through"))
        return link


async def outcome(call: Any) -> Any:
    """A call's reply, or the class of its error."""
    async with asyncio.timeout(60):
        try:
            return await call
        except CallError as error:
            return type(error)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "message", [{(1, 2): 3}, [{"a": [{(1,): 1}]}], nested(1024)], ids=["key", "inner key", "too deep"]
)
async def test_a_message_that_cannot_be_read_costs_nobody_else_a_call(message: Any) -> None:
    router = Wired(Host("a", "b"))
    assert await outcome(router.call("notebook", "a", "x")) == 1
    calls = [router.call("notebook", entity, "y") for entity in "ab" * 10]
    odd = router.call("notebook", "a", message)
    calls += [router.call("notebook", entity, "y") for entity in "ab" * 10]
    assert await outcome(odd) is BadFrame
    assert sorted(await asyncio.gather(*map(outcome, calls))) == sorted([*range(1, 21), *range(2, 22)])
    assert len(router.dials) == 1
    await router.close()


@pytest.mark.parametrize("reply", [{(1, 2): 3}, [{(1,): 1}], nested(1023)], ids=["key", "inner key", "too deep"])
async def test_a_reply_that_cannot_be_read_costs_nobody_else_a_call(reply: Any) -> None:
    host = Host("a", "b")
    router = Wired(host)
    await router.call("notebook", "a", "x")
    entity = next(mailbox.entity for shard in host.mailboxes.present() for mailbox in shard.mailboxes.values())
    assert isinstance(entity, Notebook)
    entity.notes = reply
    odd = router.call("notebook", "a", "read")
    assert await asyncio.gather(*(outcome(router.call("notebook", "b", "y")) for _ in range(5))) == [1, 2, 3, 4, 5]
    assert await outcome(odd) is BadFrame
    assert len(router.dials) == 1
    await router.close()


@pytest.mark.parametrize("nonsense", [None, 7, {Reply(1)}, iter([Reply(1)])], ids=["none", "number", "set", "iterator"])
async def test_a_machine_that_returns_no_effects_costs_nobody_else_a_call(nonsense: Any) -> None:
    host = Host("a", "b")
    router = Wired(host)
    await router.call("notebook", "a", "x")
    entity = cast(
        Any, next(mailbox.entity for shard in host.mailboxes.present() for mailbox in shard.mailboxes.values())
    )
    await router.call("notebook", "b", "y")
    entity.receive = lambda _message, _now: nonsense
    odd = router.call("notebook", "a", "x")
    assert await asyncio.gather(*(outcome(router.call("notebook", "b", "y")) for _ in range(5))) == [2, 3, 4, 5, 6]
    assert await outcome(odd) is EntityFailed
    assert await outcome(router.call("notebook", "a", "x")) == 1, "it was loaded anew"
    assert len(router.dials) == 1
    await router.close()


async def test_a_defect_in_the_runtime_s_own_calls_costs_nobody_else_a_call() -> None:
    host = Host("a")

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a defect")

    host.mailboxes.on_runtime_call = fail
    router = Wired(host)
    odd = router.call_host("host-a", "handoff", None, 5.0)
    assert await outcome(router.call("notebook", "a", "x")) == 1
    assert await outcome(odd) is EntityFailed
    assert len(router.dials) == 1
    await router.close()


async def test_entities_in_memory_are_read_together_and_without_turns() -> None:
    ids = [f"e{number}" for number in range(1_200)]  # more than one call may read
    host = Host(*ids)
    serve_reads(host)
    router = Wired(host)
    assert await read(router, "notebook", ids, "x", 5.0) == [None] * len(ids), "none is in memory"
    await asyncio.gather(*(router.call("notebook", entity, entity) for entity in ids[::2]))
    remembered = len(host.mailboxes.answers)
    expected = [[entity, "x"] if index % 2 == 0 else None for index, entity in enumerate(ids)]
    assert await read(router, "notebook", ids, "x", 5.0) == expected
    assert await router.call("notebook", ids[0], "read") == [ids[0]], "a read changes nothing"
    assert len(host.mailboxes.answers) <= remembered + 1, "reads are not remembered"
    load = host.mailboxes.loads["notebook"]
    load.calls = 0
    await read(router, "notebook", ids[:50], "x", 5.0)
    assert load.calls == 2, "a page's reads take a host as long as two calls, and it is given shards accordingly"
    await router.close()


async def test_what_cannot_be_read_is_left_to_a_call() -> None:
    host = Host("a", "b", "c")
    serve_reads(host)
    router = Wired(host)
    for entity in "abc":
        await router.call("notebook", entity, entity)
    host.handler.gate.clear()
    turn = router.call("notebook", "a", ["save", "more"])
    await asyncio.sleep(0.05)
    assert await read(router, "notebook", "ab", "x", 5.0) == [None, ["b", "x"]], "what is not stored yet is not read"
    host.handler.gate.set()
    await turn
    host.mailboxes.shard("notebook", shard_of("b")).serving = False
    assert await read(router, "notebook", "abc", "x", 5.0) == [["a", "more", "x"], None, ["c", "x"]], (
        "a shard that goes"
    )
    host.mailboxes.serve_until = 0.0
    assert await read(router, "notebook", "abc", "x", 5.0) == [None] * 3, "the lease is over"
    host.mailboxes.on_runtime_call = nothing_here
    assert await read(router, "notebook", "abc", "x", 5.0) == [None] * 3, "a host of the version before"
    assert await read(router, "unknown", "abc", "x", 5.0) == [None] * 3
    await router.close()


@pytest.mark.parametrize("body", [None, ["notebook", "x"], ["notebook", "x", [7]], ["notebook", "x", ["a"] * 513]])
async def test_a_read_that_is_none_is_refused(body: Any) -> None:
    with pytest.raises(BadFrame):
        answer_read(Host("a").mailboxes, body)


async def test_an_id_that_no_frame_takes_costs_nobody_else_a_call() -> None:
    router = Wired(Host("a"))
    odd = router.call("notebook", "e" * 9_000_000, "z")
    assert await outcome(router.call("notebook", "a", "x")) == 1
    assert await outcome(odd) is FrameTooLarge
    assert len(router.dials) == 1
    await router.close()


async def test_long_ids_and_large_messages_fit_into_frames() -> None:
    ids = [f"{n:04}" + "é" * 1000 for n in range(500)]
    router = Wired(Host(*ids))
    calls = [router.call("notebook", entity, b"x" * ((4 << 20) - 64 if n == 7 else 10)) for n, entity in enumerate(ids)]
    assert await asyncio.gather(*map(outcome, calls)) == [1] * len(ids)
    assert len(router.dials) == 1
    await router.close()


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), float("-inf"), 1e300, -1e300])
async def test_no_timeout_harms_the_calls_beside_it(timeout: float) -> None:
    router = Wired(Host("a"))
    first = router.call("notebook", "a", "x", timeout=60)
    odd = router.call("notebook", "a", "y", timeout=timeout)
    last = router.call("notebook", "a", "z", timeout=60)
    assert await outcome(first) == 1
    # The latter if it is over before there is a connection.
    assert await outcome(odd) in (2, DeadlineExceeded, HostUnavailable)
    assert await outcome(last) in (2, 3)
    await router.close()


async def test_no_call_lasts_longer_than_what_is_remembered_of_it() -> None:
    router = Wired(Host())
    router.call("notebook", "a", "x", timeout=float("inf"))
    (call,) = router._calls._pending.values()
    assert call.deadline <= asyncio.get_running_loop().time() + MAX_SECONDS
    await router.close()


async def test_a_connection_that_dies_after_its_handshake_is_not_dialled_without_pause() -> None:
    router = Wired(Host("a"), dies=True)
    call = router.call("notebook", "a", "x", timeout=60)
    async with asyncio.timeout(60):
        while len(router.dials) < 5:
            await asyncio.sleep(0.01)
    pauses = [later - earlier for earlier, later in pairwise(router.dials)]
    # At least half of 20 ms, doubled with each failure: a busy machine only makes them longer.
    assert all(pause > 0.009 * 2**failures for failures, pause in enumerate(pauses, 1)), pauses
    await router.close()
    with pytest.raises(HostUnavailable):
        await call
