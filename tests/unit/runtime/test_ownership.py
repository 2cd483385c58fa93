"""A shard at one host: what the map may make of it, step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.hosting.ownership import Action, Ownership, Part, Status
from actors.runtime.store.rows import ShardRow

ME, OTHER = "me", "other"


def row(host: str, epoch: int, moving_to: str = "") -> ShardRow:
    return ShardRow("kind", 1, host, epoch, moving_to)


def active(epoch: int = 1) -> Ownership:
    ownership = Ownership()
    assert ownership.mapped(row(ME, epoch), ME) is Action.LOAD
    assert ownership.loaded(epoch) is Action.ACTIVATE
    assert ownership.status is Status.ACTIVE
    return ownership


def released(epoch: int = 1) -> Ownership:
    ownership = active(epoch)
    assert ownership.mapped(row(ME, epoch, OTHER), ME) is Action.DRAIN
    assert ownership.sent(epoch)
    assert ownership.status is Status.RELEASED
    return ownership


def test_a_new_owner_loads_before_it_serves() -> None:
    ownership = Ownership()
    assert ownership.mapped(row(ME, 4), ME) is Action.LOAD
    assert ownership.status is Status.LOADING
    assert ownership.loaded(3) is Action.NONE, "what was loaded for another epoch"
    assert ownership.status is Status.LOADING
    assert ownership.loaded(4) is Action.ACTIVATE


def test_a_complete_handoff_spares_the_load() -> None:
    ownership = Ownership()
    assert ownership.receiving(3, 0, last=False) is Part.NEXT
    assert ownership.receiving(3, 1, last=True) is Part.NEXT
    assert ownership.mapped(row(OTHER, 3, ME), ME) is Action.NONE
    assert ownership.mapped(row(ME, 4), ME) is Action.ACTIVATE


def test_a_shard_that_came_and_is_to_go_on_drains_at_once() -> None:
    ownership = Ownership()
    ownership.receiving(3, 0, last=True)
    assert ownership.mapped(row(ME, 4, OTHER), ME) is Action.DRAIN
    assert (ownership.status, ownership.to) == (Status.DRAINING, OTHER)


@pytest.mark.parametrize(("last", "owned_at"), [(False, 4), (True, 5), (True, 6)])
def test_an_incomplete_or_outdated_handoff_is_not_trusted(last: bool, owned_at: int) -> None:
    ownership = Ownership()
    ownership.receiving(3, 0, last=last)
    assert ownership.mapped(row(ME, owned_at), ME) is Action.LOAD


@pytest.mark.parametrize("make", [active, released])
def test_memory_from_before_others_owned_the_shard_is_not_trusted(make: object) -> None:
    ownership = make()  # type: ignore[operator]
    assert ownership.mapped(row(ME, 3), ME) is Action.LOAD
    assert ownership.status is Status.LOADING


def test_a_move_that_is_called_off_keeps_the_memory() -> None:
    ownership = released()
    assert ownership.mapped(row(ME, 2), ME) is Action.ACTIVATE
    assert (ownership.status, ownership.epoch) == (Status.ACTIVE, 2)


def test_a_move_called_off_and_ordered_anew_drains_again() -> None:
    ownership = released()
    assert ownership.mapped(row(ME, 2, "third"), ME) is Action.DRAIN
    assert ownership.to == "third"
    assert not ownership.sent(1), "the confirmation of the first attempt"
    assert ownership.sent(2)


def test_a_move_asked_for_twice_drains_once() -> None:
    ownership = active()
    assert ownership.mapped(row(ME, 1, OTHER), ME) is Action.DRAIN
    assert ownership.mapped(row(ME, 1, OTHER), ME) is Action.NONE
    ownership.sent(1)
    assert ownership.mapped(row(ME, 1, OTHER), ME) is Action.NONE


def test_a_move_asked_for_while_loading_waits_for_the_load() -> None:
    ownership = Ownership()
    ownership.mapped(row(ME, 1), ME)
    assert ownership.mapped(row(ME, 1, OTHER), ME) is Action.NONE
    ownership.loaded(1)
    assert ownership.mapped(row(ME, 1, OTHER), ME) is Action.DRAIN


@pytest.mark.parametrize("make", [active, released])
def test_the_loser_of_a_shard_drops_it(make: object) -> None:
    ownership = make()  # type: ignore[operator]
    assert ownership.mapped(row(OTHER, 2), ME) is Action.DROP
    assert ownership.status is Status.ABSENT


def test_an_owner_takes_no_handoff_of_what_it_owns() -> None:
    assert active().receiving(5, 0, last=True) is Part.REFUSED
    assert released().receiving(1, 0, last=True) is Part.REFUSED


def test_parts_of_an_older_handoff_are_not_taken() -> None:
    ownership = Ownership()
    ownership.mapped(row(ME, 3), ME)
    ownership.mapped(row(OTHER, 4), ME)
    assert ownership.receiving(2, 0, last=True) is Part.REFUSED
    assert ownership.receiving(4, 0, last=True) is Part.NEXT


def test_each_part_of_a_handoff_counts_once_and_in_order() -> None:
    ownership = Ownership()
    assert ownership.receiving(3, 1, last=False) is Part.REFUSED, "the first part is missing"
    assert ownership.status is Status.ABSENT
    assert ownership.receiving(3, 0, last=False) is Part.NEXT
    assert ownership.receiving(3, 2, last=True) is Part.REFUSED
    assert ownership.receiving(3, 1, last=True) is Part.NEXT
    assert ownership.receiving(3, 0, last=False) is Part.REPEATED
    assert ownership.complete
    assert ownership.receiving(4, 1, last=True) is Part.REFUSED
    assert ownership.receiving(4, 0, last=False) is Part.FIRST_OF_LATER
    assert not ownership.complete


def test_a_handoff_that_comes_to_nothing_is_forgotten() -> None:
    ownership = Ownership()
    ownership.receiving(3, 0, last=True)
    assert ownership.gave_up(2) is Action.NONE
    assert ownership.gave_up(3) is Action.DROP
    assert ownership.mapped(row(ME, 4), ME) is Action.LOAD


ROWS = st.tuples(st.sampled_from([ME, OTHER, "third"]), st.integers(0, 3), st.sampled_from(["", ME, OTHER]))


@given(st.lists(ROWS, max_size=30), st.data())
def test_it_serves_only_at_the_epoch_the_map_gave_it(steps: list[tuple[str, int, str]], data: st.DataObject) -> None:
    ownership, epoch = Ownership(), 1
    for host, ahead, moving_to in steps:
        epoch += ahead
        event = data.draw(st.sampled_from(["map", "loaded", "sent", "receiving"]))
        if event == "map":
            ownership.mapped(row(host, epoch, moving_to if moving_to != host else ""), ME)
            if host != ME:
                assert ownership.status not in (Status.ACTIVE, Status.DRAINING, Status.RELEASED, Status.LOADING)
            else:
                assert ownership.status not in (Status.ABSENT, Status.INCOMING)
                assert ownership.epoch == epoch
        elif event == "loaded":
            ownership.loaded(epoch)
        elif event == "sent":
            ownership.sent(epoch)
        else:
            before = ownership.status
            ownership.receiving(epoch, 0, last=True)
            assert ownership.status in (before, Status.INCOMING)
