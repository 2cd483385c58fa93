"""The trace of a call reaches its host, the effects of its turn, and the calls that those make."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from actors.runtime import EffectHandler, EntityKind, Reply, Turn, Value
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.calls import CallTable
from actors.runtime.transport.frames import PROTOCOL, pack_body, unpack
from actors.runtime.transport.router import NoControlPlane, Router
from cluster.trace import current_traceparent, start_trace
from tests.support.kind_context import kind_context

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Asker:
    """Every message is an effect."""

    def receive(self, message: Value, now: float) -> list[Any]:
        return [message, Reply(message)]

    def snapshot(self) -> Value:
        return None


class Recorder(EffectHandler):
    """Records under which trace effects are carried out."""

    def __init__(self) -> None:
        super().__init__(kind_context())
        self.traces: dict[Value, str | None] = {}

    async def act(self, turn: Turn) -> Sequence[Value]:
        await asyncio.sleep(0)
        for effect in turn.effects:
            self.traces[effect] = current_traceparent()
        return ()


class Origin:
    """Counts the answers."""

    def __init__(self) -> None:
        self.answers = 0

    def answer(self, packed: bytes) -> None:
        self.answers += 1


async def test_effects_run_under_the_trace_of_their_call_and_of_no_other() -> None:
    kind = EntityKind(
        "asker", create=lambda _id, _context: Asker(), restore=lambda _id, _version, _snapshot, _context: Asker()
    )
    recorder, origin = Recorder(), Origin()
    mailboxes = Mailboxes("host-a", lambda _kind, _number: "")
    mailboxes.add_kind(TurnRunner(kind, recorder, None))
    mailboxes.serve_until = float("inf")
    for number in range(SHARDS):
        shard = mailboxes.shard("asker", number)
        shard.ownership.mapped(ShardRow("asker", number, "host-a", 1), "host-a")
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)

    sender = CallTable()
    sender.mapped(MapView(1, {"host-a": Endpoint("host-a", "", "", "")}, {"asker": ["host-a"] * SHARDS}), 0.0)
    for entity, message, trace in (("a", "traced", TRACE), ("b", "bare", None), ("a", "later", None)):
        sender.add("asker", entity, pack_body(message), 60.0, None, trace)
        items = unpack(sender.batch("host-a", 0.0, version=PROTOCOL)[4:])
        before = origin.answers
        mailboxes.deliver(origin, b"caller-1", items)
        async with asyncio.timeout(60):
            while origin.answers == before:
                await asyncio.sleep(0)
    assert recorder.traces == {"traced": TRACE, "bare": None, "later": None}
    await mailboxes.close()


async def test_a_router_sends_the_trace_of_whoever_calls() -> None:
    router = Router(NoControlPlane("node"), b"secret")
    mine = start_trace(TRACE)
    router.call("kind", "x", 1)
    (call,) = router._calls._pending.values()
    assert call.trace == mine
    assert mine[3:35] == TRACE[3:35]
    await router.close()
