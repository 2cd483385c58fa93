"""The router's table of calls: each is settled once, by an answer or by its deadline."""

import msgpack
import pytest

from actors.runtime.errors import DeadlineExceeded, HostUnavailable, Overloaded, StaleEpoch, UnknownKind
from actors.runtime.shard_map import SHARDS, Endpoint, MapView, shard_of
from actors.runtime.transport import calls
from actors.runtime.transport.call_in_flight import lateness
from actors.runtime.transport.calls import CallTable
from actors.runtime.transport.frames import DONE, MOVED, NOT_MINE, RUNNING, STALE, unpack

BODY = msgpack.packb("hello")


def view(version: int, *hosts: str, owner: str = "a") -> MapView:
    return MapView(version, {h: Endpoint(h, "", "", "") for h in hosts}, {"k": [owner] * SHARDS})


def table(*hosts: str) -> CallTable:
    made = CallTable()
    made.mapped(view(1, *(hosts or ("a", "b"))), 0.0)
    return made


def sent(made: CallTable, host: str, now: float = 0.0) -> list[int]:
    frame = made.batch(host, now)
    return [call[0] for call in unpack(frame[4:])[2:]] if frame else []


def test_calls_of_one_turn_go_in_one_frame_in_order() -> None:
    made = table()
    for entity in "xyz":
        assert made.add("k", entity, BODY, 5.0, entity) == "a"
    assert sent(made, "a") == [1, 2, 3]
    assert sent(made, "a") == []


def test_a_frame_says_how_much_time_is_left_and_what_is_settled() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    made.add("k", "y", BODY, 3.0, "y")
    sent(made, "a")
    made.answer("a", 1, DONE, None, 0.0)
    made.add("k", "z", BODY, 4.0, "z")
    items = unpack(made.batch("a", 1.0)[4:])
    assert items[1] == 2
    assert items[2] == [3, "k", "z", 3000, BODY]


def test_an_answer_settles_its_call_once() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    sent(made, "a")
    settled = made.answer("a", 1, DONE, 7, 0.0)
    assert settled is not None
    assert settled.waiter == "x"
    assert made.answer("a", 1, DONE, 7, 0.0) is None
    assert len(made) == 0


def test_unanswered_calls_go_again_under_their_number_when_the_connection_breaks() -> None:
    made = table()
    for entity in "xyz":
        made.add("k", entity, BODY, 5.0, entity)
    sent(made, "a")
    made.answer("a", 2, DONE, None, 0.0)
    made.add("k", "w", BODY, 5.0, "w")
    made.lost("a")
    assert sent(made, "a") == [1, 3, 4]


def test_a_call_follows_its_shard() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    sent(made, "a")
    assert made.answer("a", 1, MOVED, "b", 0.0) is None
    assert sent(made, "b") == [1]
    assert made.answer("a", 1, MOVED, "b", 0.0) is None, "said twice"
    assert sent(made, "b") == []
    assert made.answer("b", 1, DONE, None, 0.0) is not None


@pytest.mark.parametrize("told", [(MOVED, "unheard-of"), (MOVED, ["odd"]), (NOT_MINE, None), (MOVED, "a")])
def test_a_call_without_a_known_owner_waits_and_asks_again(told: tuple[int, object]) -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    sent(made, "a")
    made.answer("a", 1, *told, 0.0)
    assert made.unrouted == 1
    made.tick(0.01)
    assert sent(made, "a") == []
    made.tick(0.1)
    assert sent(made, "a") == [1]


def test_calls_of_a_host_that_is_gone_go_to_the_new_owner() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    sent(made, "a")
    made.add("k", "y", BODY, 5.0, "y")
    assert made.mapped(view(2, "b", owner="b"), 0.0) == []
    assert sent(made, "b") == [1, 2]


def test_queued_calls_follow_the_map_at_once() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    made.mapped(view(2, "a", "b", owner="b"), 0.0)
    assert sent(made, "a") == []
    assert sent(made, "b") == [1]


def test_calls_before_the_first_map_wait_for_it() -> None:
    made = CallTable()
    assert made.add("k", "x", BODY, 5.0, "x") == ""
    made.add("nonsense", "x", BODY, 5.0, "y")
    failed = made.mapped(view(1, "a"), 0.0)
    assert [call.waiter for call in failed] == ["y"]
    assert sent(made, "a") == [1]
    with pytest.raises(UnknownKind):
        made.add("nonsense", "x", BODY, 5.0, "z")


def test_an_older_map_is_ignored() -> None:
    made = table()
    made.mapped(view(5, "b", owner="b"), 0.0)
    made.mapped(view(4, "a", owner="a"), 0.0)
    assert made.add("k", "x", BODY, 5.0, "x") == "b"


def test_deadlines_settle_calls_and_say_why() -> None:
    made = table()
    made.add("k", "sent", BODY, 1.0, "sent")
    sent(made, "a")
    made.add("k", "queued", BODY, 1.0, "queued")
    made.add("k", "later", BODY, 9.0, "later")
    late = {call.waiter: lateness(call) for call in made.tick(1.0)}
    assert type(late["sent"]) is DeadlineExceeded
    assert type(late["queued"]) is HostUnavailable
    assert late.keys() == {"sent", "queued"}
    assert made.answer("a", 1, DONE, None, 1.0) is None, "too late"
    assert sent(made, "a") == [3]


def test_a_call_whose_turns_were_refused_to_the_end_says_stale_epoch() -> None:
    made = table()
    made.add("k", "x", BODY, 1.0, "x")
    sent(made, "a")
    made.answer("a", 1, NOT_MINE, STALE, 0.0)
    assert [type(lateness(call)) for call in made.tick(2.0)] == [StaleEpoch]


def test_too_many_calls_in_flight_are_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_PENDING", 2)
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    made.add("k", "y", BODY, 5.0, "y")
    with pytest.raises(Overloaded):
        made.add("k", "z", BODY, 5.0, "z")


def test_a_host_gets_no_more_than_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_SENT", 2)
    made = table()
    for entity in "wxyz":
        made.add("k", entity, BODY, 5.0, entity)
    assert sent(made, "a") == [1, 2]
    assert not made.waiting("a")
    made.answer("a", 1, DONE, None, 0.0)
    assert made.waiting("a")
    assert sent(made, "a") == [3]


def test_a_call_to_a_host_itself_dies_with_it() -> None:
    made = table()
    made.add_for("a", "handoff", BODY, 5.0, "transfer")
    sent(made, "a")
    assert [call.waiter for call in made.mapped(view(2, "b", owner="b"), 0.0)] == ["transfer"]
    with pytest.raises(HostUnavailable):
        made.add_for("a", "handoff", BODY, 5.0, "transfer")


def test_giving_up_returns_every_call() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    sent(made, "a")
    made.add("k", "y", BODY, 5.0, "y")
    assert {call.waiter for call in made.drain()} == {"x", "y"}
    assert len(made) == 0


def test_shards_of_ids_never_change() -> None:
    # Golden: another function would send every entity of a running database elsewhere.
    assert [shard_of(text) for text in ("", "a", "user-1", "é", "0192f0c4-7a3b-7cc1-8d5e-2f1a9b3c4d5e")] == GOLDEN


GOLDEN = [0, 579, 532, 318, 225]


def test_a_call_that_runs_at_its_host_is_asked_for_there_again() -> None:
    made = table()
    made.add("k", "x", BODY, 5.0, "x")
    made.add_for("a", "what", BODY, 5.0, "pinned")
    assert sent(made, "a") == [1, 2]
    for number in (1, 2):
        assert made.answer("a", number, NOT_MINE, RUNNING, 0.0) is None
    assert made.unrouted == 0
    (late, _) = made.tick(5.0)
    assert isinstance(lateness(late), DeadlineExceeded), "it may have run"
