"""Results of effects: what `act` returns comes back to the entity as messages, before anything that waited."""

from __future__ import annotations

from collections.abc import Sequence

from actors.runtime import Turn, Value
from actors.runtime.transport.frames import DONE
from tests.unit.runtime.test_mailboxes import Host, Saves


class Reports(Saves):
    """Says of each saved note that it is stored."""

    async def act(self, turn: Turn) -> Sequence[Value]:
        await super().act(turn)
        return [f"stored {effect[1]}" for effect in turn.effects]


def reporting_host() -> tuple[Host, Reports]:
    host = Host("a")
    handler = Reports()
    host.mailboxes.runners["notebook"]._handler = handler
    return host, handler


async def test_results_are_the_next_messages_of_the_entity() -> None:
    host, handler = reporting_host()
    await host.ask("a", "hello")
    handler.gate.clear()
    (saving,) = host.send("a", ["save", "x"])
    (waiting,) = host.send("a", "y")
    handler.gate.set()
    assert await host.answer(saving) == (DONE, 2)
    assert await host.answer(waiting) == (DONE, 4)
    assert await host.ask("a", "read") == (DONE, ["hello", "x", "stored x", "y"])
    assert host.mailboxes.waiting == 0


async def test_each_effect_of_a_long_queue_has_one_result_and_nothing_is_left_busy() -> None:
    host, _ = reporting_host()
    calls = host.send("a", *(["save", number] for number in range(300)))
    for call in calls:
        assert (await host.answer(call))[0] == DONE
    status, notes = await host.ask("a", "read")
    assert status == DONE
    saved = [note for note in notes if not isinstance(note, str)]
    assert saved == list(range(300))
    assert [note for note in notes if isinstance(note, str)] == [f"stored {number}" for number in range(300)]
    shard = next(host.mailboxes.present())
    assert shard.busy == 0


async def test_no_result_comes_of_an_effect_that_failed() -> None:
    host, handler = reporting_host()
    await host.ask("a", "hello")
    handler.error = OSError("the disk is full")
    status, _ = await host.ask("a", ["save", "x"])
    assert status != DONE
    handler.error = None
    assert await host.ask("a", "read") == (DONE, []), "the entity left memory and is made anew"
