"""The live session entity: dispatches messages to the machine in features/live_sessions and returns effects.

A message is a list that starts with the name of the operation; `_OPERATIONS` lists them all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack

from actors.runtime import After, Effect, Refused, Reply, Value
from features.live_sessions.machine import (
    EventTooLarge,
    LiveSession,
    Presence,
    PresenceState,
    SessionRevoked,
    TooManyCounters,
    TooManySockets,
)
from features.live_sessions.outbox import AheadOfOutbox, Entry, Outbox
from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.connection import Refusal
from features.realtime.events import Batch, Item, Replay
from features.realtime.frames import Resume

SNAPSHOT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Publish:
    """Journal the event `seq` and push it to the user's sockets."""

    seq: int


@dataclass(frozen=True, slots=True)
class Save:
    """Journal the state."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close these (host, connection) sockets: their sign-in session was revoked."""

    sockets: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a transient event to the user's open sockets."""

    kind: str
    data: Value


@dataclass(frozen=True, slots=True)
class TellSessions:
    """Send transient events of a kind to the open sockets of sign-in sessions, to each its own."""

    kind: str
    by_session: dict[str, list[Value]]


@dataclass(frozen=True, slots=True)
class Announce:
    """Send the presence to the watchers."""

    state: PresenceState


class SessionEntity:
    """One LiveSession as an entity. `found` is the journal's stream when the session was loaded, `journaled` the newest
    event number that the journal is known to hold. If `unsaved`, the next write includes the state."""

    def __init__(self, user: str, session: LiveSession, found: str = "", journaled: int = 0) -> None:
        self.user = user
        self.session = session
        self.found = found
        self.journaled = journaled
        self.unsaved = False
        self._settling = False
        self._expecting = False

    @classmethod
    def create(cls, user: str, stream: str, policy: LiveSessionPolicy) -> SessionEntity:
        """Returns an empty session. Nobody has a resume point of its stream."""
        session = LiveSession(policy, Outbox(stream, policy))
        session.closed = True
        return cls(user, session)

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation. Raises Refused."""
        try:
            return _OPERATIONS[message[0]](self, now, *message[1:])
        except SessionRevoked as error:
            raise Refused(Refusal.SESSION_REVOKED.name, "this device was signed out") from error
        except TooManySockets as error:
            raise Refused(Refusal.TOO_MANY_CONNECTIONS.name, str(error)) from error
        except AheadOfOutbox as error:
            raise Refused(Refusal.BAD_SEQUENCE.name, str(error)) from error
        except EventTooLarge as error:
            raise Refused("event_too_large", str(error)) from error
        except TooManyCounters as error:
            raise Refused("too_many_counters", str(error)) from error

    # --- sockets ---------------------------------------------------------------------------------------------

    def attach(self, now: float, connection: str, host: str, device: str, resume: list[Any] | None) -> list[Effect]:
        point = None if resume is None else Resume(*resume)
        replay = self.session.attach(connection, sys.intern(host), sys.intern(device), point, now)
        return [Reply(replay_to_wire(replay)), Save(), *self._settle_soon(), *self._expect_leases()]

    def confirm(self, now: float, connection: str, host: str, device: str) -> list[Effect]:
        known = connection in self.session.sockets
        newest = self.session.confirm(connection, sys.intern(host), sys.intern(device), now)
        effects: list[Effect] = [Reply([newest.stream, newest.seq]), *self._expect_leases()]
        return effects if known else [*effects, Save(), *self._settle_soon()]

    def detach(self, now: float, connections: list[str]) -> list[Effect]:
        return [Save(), *self._settle_soon()] if self.session.detach(connections, now) else []

    def since(self, now: float, stream: str, seq: int) -> list[Effect]:
        return [Reply(replay_to_wire(self.session.since(Resume(stream, seq), now)))]

    def active(self, now: float, connection: str, active: bool) -> list[Effect]:
        return [Save(), *self._settle_soon()] if self.session.set_active(connection, active, now) else []

    def leases(self, now: float) -> list[Effect]:
        """Removes sockets whose lease has ended and announces the presence if it changed."""
        self._expecting = False
        before = len(self.session.sockets)
        self.session.expire(now)
        effects: list[Effect] = [Save()] if len(self.session.sockets) < before else []
        return [*effects, *self.settle(now), *self._expect_leases()]

    def _expect_leases(self) -> list[Effect]:
        if self._expecting or not self.session.sockets:
            return []
        self._expecting = True
        return [After(self.session.policy.socket_lease_s + 1.0, ["leases"])]

    def revoke(self, now: float, device: str) -> list[Effect]:
        sockets = self.session.revoke(device, now)
        return [Save(), Disconnect(sockets), *self._settle_soon()]

    def devices(self, now: float) -> list[Effect]:
        self.session.expire(now)
        return [Reply(self.session.devices())]

    # --- events ----------------------------------------------------------------------------------------------

    def push(self, now: float, kind: str, data: bytes, key: str) -> list[Effect]:
        closing: list[Effect] = [Save()] if self.session.close_if_unused(now) else []
        seq = self.session.push(Item(sys.intern(kind), int(now * 1000), data), key, now)
        return closing if seq is None else [Publish(seq)]

    def signal(self, now: float, kind: str, data: Value) -> list[Effect]:
        return [Tell(kind, data)]

    def signal_sessions(self, now: float, kind: str, by_session: dict[str, list[Value]]) -> list[Effect]:
        return [TellSessions(kind, by_session)] if self.session.sockets else []

    def count_unread(self, now: float, counter: str, change: int) -> list[Effect]:
        return self._unread_changed(now, counter, self.session.count_unread(counter, change))

    def set_unread(self, now: float, counter: str, value: int) -> list[Effect]:
        return self._unread_changed(now, counter, self.session.set_unread(counter, value))

    def _unread_changed(self, now: float, counter: str, value: int) -> list[Effect]:
        data: bytes = msgpack.packb({"counter": counter, "count": value})
        return [*self.push(now, "unread", data, ""), Save(), Reply(value)]

    def unread(self, now: float) -> list[Effect]:
        return [Reply(self.session.unread)]

    def flush(self, now: float) -> list[Effect]:
        """Saves again what Redis has not stored. Replies whether there was anything."""
        return [Reply(True), Save()] if self.unsaved else [Reply(False)]

    # --- presence --------------------------------------------------------------------------------------------

    def presence(self, now: float) -> list[Effect]:
        return [Reply(presence_to_wire(self.session.presence(now)))]

    def watch(self, now: float, viewer: str) -> list[Effect]:
        return [Reply(presence_to_wire(self.session.watch(viewer, now)))]

    def settle(self, now: float) -> list[Effect]:
        self._settling = False
        state = self.session.settle(now)
        return [] if state is None else [Announce(state)]

    def _settle_soon(self) -> list[Effect]:
        if self._settling:
            return []
        self._settling = True
        return [After(self.session.policy.presence_grace_s, ["settle"])]

    # --- handoff ---------------------------------------------------------------------------------------------

    def snapshot(self) -> Value:
        """Returns everything, events included: a shard that moves keeps its streams."""
        outbox = self.session.outbox
        entries = [
            [e.seq, e.stream, e.key, e.item.kind, e.item.at_ms, e.item.data] for e in outbox.entries(outbox.first)
        ]
        saved = {**self.session.save(), "found": self.found, "unsaved": self.unsaved}
        saved |= {"settling": self._settling, "expecting": self._expecting}  # their timers move too
        return [outbox.stream, outbox.last, self.journaled, saved, entries]

    @classmethod
    def restore(cls, user: str, version: int, snapshot: Value, policy: LiveSessionPolicy) -> SessionEntity:
        """Returns the entity of a snapshot. Raises ValueError for an unknown version."""
        if version != SNAPSHOT_VERSION:
            raise ValueError(f"session snapshot of version {version}")
        stream, last, journaled, saved, rows = snapshot
        entries = [Entry(seq, fork, key, Item(*item)) for seq, fork, key, *item in rows]
        outbox = Outbox.load(stream, policy, last, saved["forks"], entries)
        entity = cls(user, LiveSession.load(policy, outbox, saved), saved.get("found", stream), journaled)
        entity.unsaved = saved.get("unsaved", True)
        entity._settling = saved.get("settling", False)
        entity._expecting = saved.get("expecting", False)
        return entity


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation
    for operation in (
        SessionEntity.attach,
        SessionEntity.confirm,
        SessionEntity.detach,
        SessionEntity.since,
        SessionEntity.active,
        SessionEntity.revoke,
        SessionEntity.devices,
        SessionEntity.push,
        SessionEntity.signal,
        SessionEntity.signal_sessions,
        SessionEntity.count_unread,
        SessionEntity.set_unread,
        SessionEntity.unread,
        SessionEntity.presence,
        SessionEntity.watch,
        SessionEntity.leases,
        SessionEntity.settle,
        SessionEntity.flush,
    )
}


def replay_to_wire(replay: Replay) -> Value:
    """Encodes a Replay for the runtime."""
    return [replay.stream, replay.since, items_to_wire(replay.items), replay.last, replay.gap]


def replay_from_wire(value: Value) -> Replay:
    """Decodes what replay_to_wire encoded."""
    stream, since, items, last, gap = value
    return Replay(stream, since, items_from_wire(items), last, gap)


def items_to_wire(items: tuple[Item, ...]) -> Value:
    """Encodes events for the runtime."""
    return [[item.kind, item.at_ms, item.data] for item in items]


def items_from_wire(value: Value) -> tuple[Item, ...]:
    """Decodes what items_to_wire encoded."""
    return tuple(Item(*item) for item in value)


def presence_to_wire(state: PresenceState) -> Value:
    """Encodes a PresenceState for the runtime."""
    return [state.presence.value, state.last_seen]


def presence_from_wire(value: Value) -> PresenceState:
    """Decodes what presence_to_wire encoded."""
    presence, last_seen = value
    return PresenceState(Presence(presence), last_seen)


def confirmation_from_wire(value: Value) -> Batch:
    """Decodes the response to `confirm`."""
    stream, seq = value
    return Batch(stream, seq, ())
