"""Loops and turns end when they are cancelled, also where the database driver's clean-up hides the cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, cast

import pytest

from actors.runtime import EffectHandler, EntityKind
from actors.runtime.clock import SYSTEM_CLOCK
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.lease import HostLease
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.report import Reporter
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.hosting.snapshot_loader import SnapshotLoader
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.store.history import History
from actors.runtime.store.rows import Fence, HostRow, ShardRow
from actors.runtime.store.turn_writes import TurnWrite
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.frames import CALLS, pack_body
from tests.support.kind_context import kind_context
from tests.unit.runtime.test_mailboxes import CALLER, Mailbox


class Unreachable:
    """A store whose statements get no answer. One that is cancelled raises what asyncpg's clean-up does at times."""

    def __init__(self) -> None:
        self.statements = 0
        self.begun = asyncio.Event()

    async def statement(self, *_arguments: Any, briefly: bool = False) -> Any:
        self.statements += 1
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("the connection was lost") from None

    commit = snapshots = timers = register = shard_map = answers = statement

    async def with_timeout(self, _seconds: float, work: Any) -> Any:
        return await work


async def ends(store: Unreachable, task: asyncio.Task[Any]) -> None:
    """Cancels the task in the middle of a statement; it ends by that."""
    await store.begun.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=60)
    assert task.cancelled()
    assert store.statements == 1


@pytest.mark.parametrize(
    "work",
    [
        lambda owner, store: owner.mailboxes.durable_timers.run(store, lambda: [owner.mailboxes.shard("empty", 1)]),
        lambda owner, _store: owner.sync_quietly(),
        lambda owner, store: HostLease(
            store,
            HostRow("host-0.1", "host-0", "", "", "", False, {}),
            2.0,
            owner,
            History(),
            Reporter("host-0", "worker", owner.mailboxes),
            BackgroundTasks(),
            SYSTEM_CLOCK,
        ).keep(),
    ],
    ids=["timers", "map", "lease"],
)
async def test_a_task_of_a_host_ends(work: Callable[[ShardOwner, Any], Any]) -> None:
    store = Unreachable()
    owner = ShardOwner(cast(Any, store), cast(Any, None))
    kind = EntityKind("empty", create=cast(Any, None), restore=cast(Any, None))
    owner.mailboxes.add_kind(TurnRunner(kind, EffectHandler(kind_context())))
    owner.mailboxes.durable_timers.load_soon(owner.mailboxes.shard("empty", 1))
    await ends(store, asyncio.create_task(work(owner, store)))


async def test_the_loop_of_timers_ends_although_it_is_woken_at_the_same_time() -> None:
    owner = ShardOwner(cast(Any, Unreachable()), cast(Any, None))
    timers = owner.mailboxes.durable_timers
    task = asyncio.create_task(timers.run(cast(Any, Unreachable()), lambda: []))
    await asyncio.sleep(0.05)
    timers.committed([], {}, ("empty", 1, "a"))
    task.cancel()
    await asyncio.wait({task}, timeout=60)
    assert task.cancelled()


async def test_a_committer_that_closes_tries_no_halves() -> None:
    store = Unreachable()
    committer = Committer(cast(Any, store))
    writes = [TurnWrite(Fence("book", n, "host", 1), str(n), ()) for n in range(4)]
    turns = [committer.commit(write) for write in writes]
    async with asyncio.timeout(60):
        await store.begun.wait()
    await committer.close()
    results = await asyncio.gather(*turns, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 4
    assert store.statements == 1


async def test_a_loader_that_closes_tries_no_halves() -> None:
    store = Unreachable()
    loader = SnapshotLoader(cast(Any, store), "book")
    loads = [loader.load(str(n)) for n in range(4)]
    await store.begun.wait()
    await loader.close()
    results = await asyncio.gather(*loads, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 4
    assert store.statements == 1


async def test_entities_that_are_being_loaded_when_the_host_stops_answer_nothing() -> None:
    """They did not fail: the next owner runs these calls."""
    store = Unreachable()

    class Handler(EffectHandler[None]):
        async def load(self, entity_id: str) -> None:
            await store.statement()

    mailboxes = Mailboxes("host-a", lambda _kind, _number: "")
    kind = EntityKind("empty", create=cast(Any, None), restore=cast(Any, None))
    mailboxes.add_kind(TurnRunner(kind, Handler(kind_context())))
    mailboxes.serve_until = inf
    for number in range(1024):
        shard = mailboxes.shard("empty", number)
        shard.ownership.mapped(ShardRow("empty", number, "host-a", 1), "host-a")
        shard.ownership.loaded(1)
        shard.serving = True
    origin = Mailbox()
    mailboxes.deliver(origin, CALLER, [CALLS, 1, [1, "empty", "a", 5000, pack_body("hello"), None]])
    await store.begun.wait()
    await mailboxes.close()
    assert origin.answers == {}
