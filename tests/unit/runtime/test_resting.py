"""Entities without messages are told to rest, each once, and not while they have a turn."""

from __future__ import annotations

from collections import deque

from actors.runtime import EffectHandler, EntityKind, Reply, Value
from actors.runtime.hosting.mailbox import Mailbox
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.resting import REST_SECONDS, Resting
from actors.runtime.hosting.turns import TurnRunner
from tests.support.kind_context import kind_context


class Sleeper:
    """Counts how often it was told to rest."""

    def __init__(self, *, defect: bool = False) -> None:
        self.rested = 0
        self.defect = defect

    def receive(self, _message: Value, _now: float) -> list[Reply]:
        return [Reply()]

    def snapshot(self) -> Value:
        return self.rested

    def rest(self) -> None:
        if self.defect:
            raise ZeroDivisionError("a defect")
        self.rested += 1


def host(kind: EntityKind, *entities: Sleeper) -> tuple[Resting, list[Mailbox]]:
    """Entities whose last messages came at seconds 0, 1, 2 ..."""
    mailboxes = Mailboxes("host-a", lambda _kind, _number: "")
    mailboxes.add_kind(TurnRunner(kind, EffectHandler(kind_context())))
    found = []
    for number, entity in enumerate(entities):
        mailbox = mailboxes.shard(kind.name, number).mailboxes[f"e{number}"] = Mailbox()
        mailbox.entity, mailbox.used_at = entity, float(number)
        found.append(mailbox)
    return Resting(mailboxes), found


def kind(*, rests: bool = True) -> EntityKind:
    return EntityKind(
        "sleeper",
        create=lambda _id, _context: Sleeper(),
        restore=lambda *_: Sleeper(),
        rest=Sleeper.rest if rests else None,
    )


async def test_each_is_told_once_after_its_last_message() -> None:
    first, second = Sleeper(), Sleeper()
    resting, mailboxes = host(kind(), first, second)
    assert await resting.rest(REST_SECONDS) == 0
    assert await resting.rest(REST_SECONDS + 0.5) == 1
    assert await resting.rest(REST_SECONDS + 5) == 1
    assert await resting.rest(REST_SECONDS + 10) == 0
    assert (first.rested, second.rested) == (1, 1)
    mailboxes[0].used_at = 12.0
    assert await resting.rest(REST_SECONDS + 15) == 1
    assert (first.rested, second.rested) == (2, 1)


async def test_not_while_it_has_messages_or_is_not_in_memory() -> None:
    busy, gone = Sleeper(), Sleeper()
    resting, mailboxes = host(kind(), busy, gone)
    mailboxes[0].inbox = deque()
    mailboxes[1].entity = None
    assert await resting.rest(REST_SECONDS + 5) == 0


async def test_one_that_cannot_rest_goes_on_and_so_do_the_others() -> None:
    resting, _ = host(kind(), Sleeper(defect=True), Sleeper())
    assert await resting.rest(REST_SECONDS + 5) == 1


async def test_many_do_not_hold_up_the_event_loop() -> None:
    """All of them are told, however often it gives the loop back."""
    sleepers = [Sleeper() for _ in range(1_000)]
    resting, _ = host(kind(), *sleepers)
    assert await resting.rest(REST_SECONDS + 1_000) == 1_000
    assert all(sleeper.rested == 1 for sleeper in sleepers)


async def test_a_kind_need_not_rest() -> None:
    resting, _ = host(kind(rests=False), Sleeper())
    assert await resting.rest(REST_SECONDS + 5) == 0
