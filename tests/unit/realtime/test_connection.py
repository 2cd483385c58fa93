"""The state machine of a connection, input by input."""

import msgpack

from features.realtime.codec import BadFrame
from features.realtime.connection import Connection, Refusal
from features.realtime.connection_effects import Attach, Close, Effect, Fetch, Forward, Perform, Probe, Transmit
from features.realtime.delivery import State
from features.realtime.events import Batch, Item, Replay
from features.realtime.frames import (
    Ack,
    CloseCode,
    ErrorFrame,
    Events,
    Hello,
    Ping,
    Pong,
    Reconnect,
    Request,
    Response,
    Resume,
    Resync,
    SetPresence,
    Slow,
    StreamChanged,
    Watch,
    Welcome,
)
from features.realtime.policy import RealtimePolicy

POLICY = RealtimePolicy(window_events=4, max_frames_per_window=20, max_bad_frames=3, max_requests=3)
NOW = 1000.0


def item(number: int) -> Item:
    return Item("note", 0, msgpack.packb(number))


def items(first: int, last: int) -> tuple[Item, ...]:
    return tuple(item(number) for number in range(first, last + 1))


def batch(first: int, last: int, stream: str = "s") -> Batch:
    return Batch(stream, first, items(first, last))


def opened(last: int = 0) -> Connection:
    connection = Connection("c", POLICY, NOW)
    connection.receive(Hello("ticket"), NOW)
    connection.attached(Replay("s", last, (), last), NOW)
    return connection


def frames(effects: list[Effect]) -> list[object]:
    return [effect.frame for effect in effects if isinstance(effect, Transmit)]


def closed_with(effects: list[Effect]) -> CloseCode | None:
    return next((effect.code for effect in effects if isinstance(effect, Close)), None)


def test_a_fresh_hello_starts_at_the_newest_event() -> None:
    connection = Connection("c", POLICY, NOW)
    assert connection.receive(Hello("ticket"), NOW) == [Attach(Hello("ticket"))]
    effects = connection.attached(Replay("s", 7, (), 7), NOW)
    assert frames(effects) == [Welcome("c", "s", 7, False, 30000, 4)]
    assert frames(connection.deliver(batch(8, 9), NOW)) == [Events(8, items(8, 9))]


def test_a_resume_replays_what_was_missed() -> None:
    connection = Connection("c", POLICY, NOW)
    hello = Hello("ticket", Resume("s", 5))
    connection.receive(hello, NOW)
    effects = connection.attached(Replay("s", 5, items(6, 7), 7), NOW)
    assert frames(effects) == [Welcome("c", "s", 5, True, 30000, 4), Events(6, items(6, 7))]


def test_a_resume_point_that_is_gone_is_told_as_resync() -> None:
    connection = Connection("c", POLICY, NOW)
    connection.receive(Hello("ticket", Resume("s", 5)), NOW)
    effects = connection.attached(Replay("t", 90, (), 90, "too_old"), NOW)
    assert frames(effects) == [Welcome("c", "t", 90, False, 30000, 4), Resync("t", 90, "too_old")]


def test_events_pushed_before_the_answer_to_hello_are_not_lost() -> None:
    connection = Connection("c", POLICY, NOW)
    connection.receive(Hello("ticket"), NOW)
    assert connection.deliver(batch(8, 8), NOW) == []
    effects = connection.attached(Replay("s", 7, (), 7), NOW)
    assert effects[-1] == Fetch("s", 7)
    assert frames(connection.fetched(Replay("s", 7, items(8, 8), 8), NOW)) == [Events(8, items(8, 8))]


def test_repeated_events_are_sent_once_and_gaps_are_fetched() -> None:
    connection = opened()
    connection.deliver(batch(1, 2), NOW)
    assert connection.deliver(batch(1, 2), NOW) == []
    assert frames(connection.deliver(batch(2, 3), NOW)) == [Events(3, items(3, 3))]
    assert connection.deliver(batch(5, 5), NOW) == [Fetch("s", 3)]
    connection.receive(Ack(3), NOW)
    assert frames(connection.fetched(Replay("s", 3, items(4, 5), 5), NOW)) == [Events(4, items(4, 5))]


def test_a_lease_that_names_a_newer_event_makes_it_ask() -> None:
    connection = opened(last=3)
    assert connection.deliver(Batch("s", 4, ()), NOW) == []
    assert connection.deliver(Batch("s", 6, ()), NOW) == [Fetch("s", 3)]


def test_a_forked_stream_goes_on_under_its_new_name() -> None:
    connection = opened()
    connection.deliver(batch(1, 1), NOW)
    assert connection.deliver(batch(2, 2, "t"), NOW) == [Fetch("s", 1)]
    effects = connection.fetched(Replay("t", 1, items(2, 2), 2), NOW)
    assert frames(effects) == [StreamChanged("t"), Events(2, items(2, 2))]
    assert frames(connection.deliver(batch(3, 3, "t"), NOW)) == [Events(3, items(3, 3))]


def test_an_entity_that_cannot_be_reached_is_asked_again() -> None:
    connection = opened()
    assert connection.deliver(batch(2, 2), NOW) == [Fetch("s", 0)]
    assert connection.fetch_failed() == []
    assert connection.tick(NOW + 1) == [Fetch("s", 0)]


def test_a_client_that_does_not_acknowledge_is_paused_told_and_let_go() -> None:
    connection = opened()
    effects = connection.deliver(batch(1, 6), NOW)
    assert frames(effects) == [Events(1, items(1, 4)), Slow(4)]
    assert connection.deliver(batch(7, 7), NOW) == []
    assert connection.tick(NOW + POLICY.slow_timeout_s - 1) == []
    effects = connection.tick(NOW + POLICY.slow_timeout_s)
    assert closed_with(effects) is CloseCode.SLOW_CONSUMER


def test_a_slow_client_that_catches_up_gets_the_rest() -> None:
    connection = opened()
    connection.deliver(batch(1, 6), NOW)
    assert connection.receive(Ack(1), NOW) == []
    assert connection.receive(Ack(4), NOW) == [Fetch("s", 4)]
    assert frames(connection.fetched(Replay("s", 4, items(5, 6), 6), NOW)) == [Events(5, items(5, 6))]


def test_a_slow_client_whose_events_are_gone_is_told_to_resync() -> None:
    connection = opened()
    connection.deliver(batch(1, 6), NOW)
    connection.receive(Ack(4), NOW)
    assert frames(connection.fetched(Replay("s", 900, (), 900, "too_old"), NOW)) == [Resync("s", 900, "too_old")]
    assert frames(connection.deliver(batch(901, 901), NOW)) == [Events(901, items(901, 901))]


def test_a_full_socket_pauses_and_continues_when_it_drains() -> None:
    connection = opened()
    connection.pause_writing()
    assert frames(connection.deliver(batch(1, 1), NOW)) == [Slow(0)]
    assert connection.signal("typing", 1) == []
    assert connection.resume_writing() == [Fetch("s", 0)]


def test_an_acknowledgement_of_the_future_is_a_typed_close() -> None:
    connection = opened(last=3)
    effects = connection.receive(Ack(4), NOW)
    assert closed_with(effects) is CloseCode.BAD_SEQUENCE
    assert connection.receive(Ack(3), NOW) == []


def test_refusals_have_codes_of_their_own() -> None:
    codes = set()
    for refusal in Refusal:
        connection = Connection("c", POLICY, NOW)
        connection.receive(Hello("ticket"), NOW)
        effects = connection.refused(refusal, "no")
        assert frames(effects) == [ErrorFrame(refusal.name.lower(), "no", True)]
        codes.add(closed_with(effects))
    assert len(codes) == len(Refusal)


def test_the_first_frame_must_be_hello_and_it_must_come_in_time() -> None:
    assert closed_with(Connection("c", POLICY, NOW).receive(Ack(0), NOW)) is CloseCode.BAD_FRAME
    late = Connection("c", POLICY, NOW)
    assert late.tick(NOW + POLICY.hello_timeout_s - 0.1) == []
    assert closed_with(late.tick(NOW + POLICY.hello_timeout_s)) is CloseCode.HELLO_TIMEOUT
    assert closed_with(opened().receive(Hello("again"), NOW)) is CloseCode.BAD_FRAME


def test_unknown_frames_are_told_and_tolerated_a_few_times() -> None:
    connection = opened()
    for _ in range(POLICY.max_bad_frames - 1):
        effects = connection.reject(BadFrame("unknown_frame", "?"), NOW)
        assert frames(effects) == [ErrorFrame("unknown_frame", "?", False)]
        assert closed_with(effects) is None
    assert closed_with(connection.reject(BadFrame("unknown_frame", "?"), NOW)) is CloseCode.BAD_FRAME


def test_too_many_frames_close_the_connection() -> None:
    connection = opened()
    effects: list[Effect] = []
    for _ in range(POLICY.max_frames_per_window):
        effects = connection.receive(Ping(1), NOW)
    assert closed_with(effects) is CloseCode.TOO_MANY_FRAMES
    patient = opened()
    for second in range(3 * POLICY.max_frames_per_window):
        assert frames(patient.receive(Ping(1), NOW + second)) == [Pong(1)]


def test_heartbeat_probes_a_silent_client_and_then_gives_up() -> None:
    connection = opened()
    assert connection.tick(NOW + POLICY.heartbeat_s) == [Probe()]
    assert connection.tick(NOW + POLICY.heartbeat_s + 1) == []
    connection.heard_from(NOW + POLICY.heartbeat_s + 2)
    assert connection.tick(NOW + 2 * POLICY.heartbeat_s) == []
    late = NOW + 3 * POLICY.heartbeat_s + 2
    assert connection.tick(late) == [Probe()]  # however late we look, it gets its chance
    assert closed_with(connection.tick(late + 1)) is CloseCode.HEARTBEAT_TIMEOUT


def test_presence_and_watch_go_to_the_entity_within_limits() -> None:
    connection = opened()
    assert connection.receive(SetPresence(False), NOW) == [Forward(SetPresence(False))]
    assert connection.receive(Watch(("a",)), NOW) == [Forward(Watch(("a",)))]
    effects = connection.receive(Watch(("a",) * (POLICY.max_watched + 1)), NOW)
    assert isinstance(frames(effects)[0], ErrorFrame)


def test_requests_are_answered_and_few_may_be_under_way() -> None:
    connection = opened()
    requests = [Request(number, "message", {}) for number in range(POLICY.max_requests + 1)]
    for request in requests[:-1]:
        assert connection.receive(request, NOW) == [Perform(request)]
    (refused,) = frames(connection.receive(requests[-1], NOW))
    assert isinstance(refused, Response)
    assert (refused.id, refused.problem["code"]) == (requests[-1].id, "too_many_requests")
    assert frames(connection.answered(Response(0, "done"))) == [Response(0, "done")]
    assert connection.receive(requests[-1], NOW) == [Perform(requests[-1])]
    connection.drain(0)
    assert connection.answered(Response(1, "done")) == []
    early = Connection("c", POLICY, NOW)
    assert closed_with(early.receive(requests[0], NOW)) is CloseCode.BAD_FRAME


def test_a_drain_says_when_to_come_back_and_nothing_follows() -> None:
    connection = opened()
    effects = connection.drain(1500)
    assert frames(effects) == [Reconnect(1500)]
    assert closed_with(effects) is CloseCode.SERVICE_RESTART
    assert connection.state is State.CLOSED
    assert connection.deliver(batch(1, 1), NOW) == connection.tick(NOW + 999) == connection.drain(1) == []
