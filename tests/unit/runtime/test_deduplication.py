"""The memory of answers: exact while the caller may ask again, empty once it will not."""

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.hosting.deduplication import DeduplicationTable, Entry
from actors.runtime.store.rows import Answer

CALLER, SHARD = b"caller-1", ("book", 7)


def test_settled_calls_are_forgotten_and_open_ones_are_not() -> None:
    memory = DeduplicationTable()
    calls = memory.of(CALLER, 1, 0.0)[0]
    for number in (1, 2, 3, 4):
        calls[number] = Entry(SHARD, b"answer")
    assert set(memory.of(CALLER, 3, 0.0)[0]) == {3, 4}


@given(st.lists(st.integers(1, 300), unique=True), st.integers(1, 300))
def test_nothing_the_caller_may_ask_for_again_is_dropped(envelopes: list[int], oldest: int) -> None:
    memory = DeduplicationTable()
    calls = memory.of(CALLER, 1, 0.0)[0]
    for number in envelopes:
        calls[number] = Entry(SHARD, b"answer")
    assert {n for n in envelopes if n >= oldest} <= set(memory.of(CALLER, oldest, 0.0)[0])


@given(st.integers(1, 500))
def test_it_stays_as_small_as_what_is_in_flight(total: int) -> None:
    memory = DeduplicationTable()
    for number in range(1, total + 1):
        memory.of(CALLER, max(1, number - 10), 0.0)[0][number] = Entry(SHARD, b"answer")
        assert len(memory) <= 11


def test_finished_answers_travel_with_their_shard_and_running_ones_do_not() -> None:
    memory = DeduplicationTable()
    calls = memory.of(CALLER, 1, 0.0)[0]
    calls[1] = Entry(SHARD, b"one")
    calls[2] = Entry(SHARD)
    calls[3] = Entry(("book", 8), b"three")
    found = memory.calls_of([SHARD])
    assert memory.answered(found[SHARD]) == [Answer(CALLER, 1, b"one")]
    calls[2].answer = b"two"
    assert memory.answered(found[SHARD]) == [Answer(CALLER, 1, b"one"), Answer(CALLER, 2, b"two")]
    memory.forget(CALLER, 2, calls[2])
    assert memory.answered(found[SHARD]) == [Answer(CALLER, 1, b"one")]
    memory.drop({SHARD})
    assert set(memory.of(CALLER, 1, 0.0)[0]) == {3}
    other = DeduplicationTable()
    other.restore(SHARD, [Answer(CALLER, 1, b"one")], 0.0)
    assert other.of(CALLER, 1, 0.0)[0][1].answer == b"one"


def test_callers_that_went_silent_are_forgotten() -> None:
    memory = DeduplicationTable()
    memory.of(CALLER, 1, 0.0)[0][1] = Entry(SHARD, b"x")
    memory.of(b"caller-2", 1, 100.0)[0][1] = Entry(SHARD, b"x")
    memory.forget_silent(50.0)
    assert len(memory) == 1


def test_a_leftover_of_a_settled_call_is_known_for_what_it_is() -> None:
    memory = DeduplicationTable()
    memory.of(CALLER, 5, 0.0)
    assert memory.of(CALLER, 2, 0.0)[1] == 5
