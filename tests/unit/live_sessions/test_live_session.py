"""A user's live session, input by input."""

from pathlib import Path

import msgpack
import pytest

from features.live_sessions.machine import (
    EventTooLarge,
    LiveSession,
    Presence,
    SessionRevoked,
    TooManyCounters,
    TooManySockets,
)
from features.live_sessions.outbox import AheadOfOutbox, Outbox
from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.events import Item
from features.realtime.frames import Resume

POLICY = LiveSessionPolicy(max_sockets=3, max_counters=2, max_watchers=2)
NOW = 1_000_000.0
GOLDEN = Path(__file__).parent / "golden"


def session() -> LiveSession:
    return LiveSession(POLICY, Outbox("s", POLICY))


def item(number: int) -> Item:
    return Item("note", int(NOW * 1000), msgpack.packb(number))


def test_sockets_are_known_by_host_and_device() -> None:
    user = session()
    user.attach("c1", "h1", "phone", None, NOW)
    user.attach("c2", "h1", "laptop", None, NOW)
    user.attach("c3", "h2", "laptop", None, NOW)
    assert user.by_host() == {"h1": ["c1", "c2"], "h2": ["c3"]}
    assert user.devices() == {"phone": 1, "laptop": 2}
    assert user.detach(["c1"], NOW)
    assert not user.detach(["c1", "never"], NOW)
    assert user.devices() == {"laptop": 2}


def test_events_are_dropped_once_nobody_can_resume_and_whoever_comes_back_has_to_resync() -> None:
    user = session()
    user.attach("c1", "h", "phone", None, NOW)
    user.push(item(1), "", NOW)
    user.detach(["c1"], NOW)
    end = NOW + POLICY.outbox_age_s
    assert not user.close_if_unused(end)
    assert user.close_if_unused(end + 0.1)
    assert not user.close_if_unused(end + 0.2), "once"
    assert user.push(item(2), "", end + 0.2) is None
    saved = LiveSession.load(
        POLICY, Outbox.load("t", POLICY, user.outbox.last, {"s": user.outbox.last}, []), user.save()
    )
    for back in (user, saved):
        assert back.closed
        assert back.attach("c2", "h", "phone", Resume("s", 1), end + 1).gap == "too_old"
        assert back.push(item(3), "", end + 1) == 3
        assert not back.close_if_unused(end + 1)


def test_a_socket_that_the_session_does_not_know_opens_it() -> None:
    user = session()
    user.closed = True
    user.confirm("c1", "h", "phone", NOW)
    assert user.push(item(1), "", NOW) == 1


def test_a_refused_socket_changes_nothing() -> None:
    user = session()
    for number in range(3):
        user.attach(f"c{number}", "h", "phone", None, NOW)
    with pytest.raises(TooManySockets):
        user.attach("c9", "h", "phone", None, NOW)
    user.attach("c1", "h", "phone", None, NOW)
    user.detach(["c0"], NOW)
    with pytest.raises(AheadOfOutbox):
        user.attach("c9", "h", "phone", Resume("s", 5), NOW)
    assert set(user.sockets) == {"c1", "c2"}


def test_a_revoked_device_loses_its_sockets_and_cannot_come_back() -> None:
    user = session()
    user.attach("c1", "h1", "phone", None, NOW)
    user.attach("c2", "h2", "phone", None, NOW)
    user.attach("c3", "h2", "laptop", None, NOW)
    assert user.revoke("phone", NOW) == [("h1", "c1"), ("h2", "c2")]
    assert user.devices() == {"laptop": 1}
    assert not user.is_live("phone", NOW)
    with pytest.raises(SessionRevoked):
        user.attach("c4", "h1", "phone", None, NOW)
    with pytest.raises(SessionRevoked):
        user.confirm("c1", "h1", "phone", NOW)
    assert user.is_live("phone", NOW + POLICY.revoked_for_s)


def test_a_lease_keeps_a_socket_and_brings_back_a_forgotten_one() -> None:
    user = session()
    user.attach("c1", "h", "phone", None, NOW)
    user.attach("c2", "h", "phone", None, NOW)
    late = NOW + POLICY.socket_lease_s
    user.confirm("c1", "h", "phone", late)
    user.expire(late + 1)
    assert list(user.sockets) == ["c1"]
    user.push(item(1), "", late)
    assert user.confirm("c2", "h", "phone", late + 1).last == 1
    assert set(user.sockets) == {"c1", "c2"}


def test_presence_follows_the_sockets_and_is_announced_once() -> None:
    user = session()
    assert user.presence(NOW).presence is Presence.OFFLINE
    user.attach("c1", "h", "phone", None, NOW)
    assert user.presence(NOW).presence is Presence.ONLINE
    announced = user.settle(NOW)
    assert announced is not None
    assert announced.presence is Presence.ONLINE
    assert user.settle(NOW) is None
    assert user.set_active("c1", False, NOW + 5)
    assert not user.set_active("c1", False, NOW + 5)
    assert user.presence(NOW + 6).presence is Presence.AWAY
    user.detach(["c1"], NOW + 7)
    state = user.presence(NOW + 100)
    assert (state.presence, state.last_seen) == (Presence.OFFLINE, NOW + 7)


def test_a_reconnect_within_the_grace_is_no_news() -> None:
    user = session()
    user.attach("c1", "h", "phone", None, NOW)
    user.settle(NOW)
    user.detach(["c1"], NOW + 1)
    user.attach("c2", "h", "phone", None, NOW + 2)
    assert user.settle(NOW + 10) is None


def test_watchers_are_bounded_and_expire() -> None:
    user = session()
    for viewer in ("a", "b", "c"):
        user.watch(viewer, NOW)
    assert set(user.watchers) == {"a", "b"}
    user.watch("a", NOW + 1)
    user.expire(NOW + POLICY.watch_ttl_s + 0.5)
    assert set(user.watchers) == {"a"}


def test_unread_counters_never_go_below_zero_and_are_bounded() -> None:
    user = session()
    assert user.count_unread("notifications", 2) == 2
    assert user.count_unread("notifications", -5) == 0
    assert user.unread == {}
    user.set_unread("a", 1)
    user.set_unread("b", 1)
    with pytest.raises(TooManyCounters):
        user.count_unread("c", 1)
    assert user.set_unread("a", 0) == 0
    assert user.count_unread("c", 1) == 1


def test_an_event_over_the_limit_is_refused() -> None:
    user = session()
    with pytest.raises(EventTooLarge):
        user.push(Item("note", 0, b"x" * POLICY.max_event_bytes), "", NOW)
    assert user.outbox.last == 0


def full() -> LiveSession:
    user = LiveSession(POLICY, Outbox.load("t", POLICY, 0, {"s": 0}, ()))
    user.attach("c1", "h1", "phone", None, NOW)
    user.attach("c2", "h2", "laptop", None, NOW + 1)
    user.set_active("c2", False, NOW + 2)
    user.revoke("tablet", NOW)
    user.count_unread("notifications", 3)
    user.watch("viewer", NOW)
    user.settle(NOW)
    return user


def test_saved_state_comes_back_the_same() -> None:
    user = full()
    saved = msgpack.unpackb(msgpack.packb(user.save()))
    again = LiveSession.load(POLICY, Outbox.load("t", POLICY, 0, saved["forks"], ()), saved)
    assert again.save() == user.save()
    assert again.by_host() == user.by_host()


def test_every_format_ever_written_can_be_read() -> None:
    saved = msgpack.unpackb((GOLDEN / "session.1.msgpack").read_bytes())
    again = LiveSession.load(POLICY, Outbox.load("t", POLICY, 0, saved["forks"], ()), saved)
    assert again.save() == full().save()
