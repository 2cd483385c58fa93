"""The outbox: bounds, resume points, streams, and loading from a journal."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.live_sessions.outbox import AheadOfOutbox, Entry, Outbox
from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.events import Item

POLICY = LiveSessionPolicy(outbox_events=5, outbox_bytes=400, outbox_age_s=60, replay_events=3)


def item(number: int, at: float = 0.0, size: int = 1) -> Item:
    return Item("note", int(at * 1000), msgpack.packb(number) + b"." * size)


def filled(count: int) -> Outbox:
    outbox = Outbox("s", POLICY)
    for number in range(1, count + 1):
        assert outbox.push(item(number), key="") == number
    return outbox


def test_a_resume_point_gets_what_follows_in_answers_of_bounded_size() -> None:
    outbox = filled(5)
    first = outbox.since("s", 0)
    assert (first.since, len(first.items), first.last) == (0, 3, 5)
    second = outbox.since("s", 3)
    assert first.items + second.items == tuple(item(n) for n in range(1, 6))
    assert outbox.since("s", 5).items == ()


def test_one_event_larger_than_an_answer_still_gets_through() -> None:
    outbox = Outbox("s", LiveSessionPolicy(replay_bytes=10))
    outbox.push(item(1, size=1000), "")
    assert len(outbox.since("s", 0).items) == 1


def test_the_buffer_is_bounded_by_count_bytes_and_age() -> None:
    assert filled(7).first == 3
    big = Outbox("s", POLICY)
    for number in range(4):
        big.push(item(number, size=150), "")
    assert big.bytes <= POLICY.outbox_bytes
    assert big.first > 1
    old = Outbox("s", POLICY)
    old.push(item(1, at=100), "")
    old.push(item(2, at=150), "")
    old.expire(now=165)
    assert old.first == 2


def test_points_outside_are_told_apart() -> None:
    outbox = filled(7)
    assert outbox.since("s", 1).gap == "too_old"
    assert outbox.since("s", 2).gap is None
    assert outbox.since("other", 6).gap == "unknown_stream"
    with pytest.raises(AheadOfOutbox):
        outbox.since("s", 8)


def test_the_same_key_is_numbered_once() -> None:
    outbox = Outbox("s", POLICY)
    assert outbox.push(item(1), "a") == 1
    assert outbox.push(item(1), "a") is None
    assert outbox.push(item(2), "b") == 2
    assert outbox.last == 2


def test_after_a_crash_only_what_was_journaled_of_the_old_stream_resumes() -> None:
    lost = filled(3)
    loaded = Outbox.load("t", POLICY, 2, {"s": 2}, lost.entries(1)[:2])
    assert loaded.since("s", 1).items == (item(2),)
    assert loaded.since("s", 2).gap is None
    assert loaded.since("s", 3).gap == "unknown_stream"
    assert loaded.push(item(9), "") == 3
    assert loaded.since("s", 2).items == (item(9),)


def test_a_loaded_journal_goes_on_under_a_new_name_with_the_same_numbers() -> None:
    outbox = filled(4)
    loaded = Outbox.load("t", POLICY, outbox.last, {"s": outbox.last}, outbox.entries(1))
    assert loaded.push(item(5), "") == 5
    assert loaded.since("s", 2).items == (item(3), item(4), item(5))
    assert loaded.batch(5).stream == "t"


@given(st.sets(st.integers(1, 12)), st.integers(0, 12))
def test_a_journal_with_holes_never_hides_one(numbers: set[int], last: int) -> None:
    entries = [Entry(n, "s", "", item(n)) for n in sorted(numbers)]
    loaded = Outbox.load("t", POLICY, last, {"s": last}, entries)
    for seq in range(last + 1):
        replay = loaded.since("s", seq)
        if replay.gap is None:
            expected = tuple(item(n) for n in range(seq + 1, last + 1))
            assert replay.items == expected[: POLICY.replay_events]
