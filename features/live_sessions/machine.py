"""The live session of one user: sockets, revoked sign-in sessions, presence, unread counters and the outbox.

Pure: every method takes the time (seconds since 1970) and returns its decision. The actor that owns the session
journals the outbox, pushes batches to the hosts of the sockets and sends presence changes to watchers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from features.live_sessions.outbox import AheadOfOutbox, Outbox
from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.events import Batch, Item, Replay
from features.realtime.frames import Resume


class SessionRevoked(Exception):
    """The sign-in session was revoked."""


class TooManySockets(Exception):
    """The user has as many open sockets as the policy allows."""


class EventTooLarge(Exception):
    """An event larger than the policy allows."""


class TooManyCounters(Exception):
    """The user has as many unread counters as the policy allows."""


class Presence(Enum):
    OFFLINE = "offline"
    AWAY = "away"
    ONLINE = "online"


@dataclass(slots=True)
class Socket:
    """One open connection. `host` is the address of the realtime host that holds it."""

    host: str
    device: str
    since: float
    confirmed: float
    active: bool = True


@dataclass(frozen=True, slots=True)
class PresenceState:
    presence: Presence
    last_seen: float
    """Seconds since 1970 when the user was last online, 0 if never."""


class LiveSession:
    """One user's live session."""

    def __init__(self, policy: LiveSessionPolicy, outbox: Outbox) -> None:
        self.policy = policy
        self.outbox = outbox
        self.sockets: dict[str, Socket] = {}
        """By connection id."""
        self.revoked: dict[str, float] = {}
        """Revoked sign-in session -> when it may be forgotten."""
        self.unread: dict[str, int] = {}
        self.watchers: dict[str, float] = {}
        """User who receives this user's presence changes -> when that ends."""
        self.last_seen = 0.0
        self.announced = Presence.OFFLINE
        """The presence last sent to watchers."""
        self.closed = False
        """No client can resume, so events are dropped, unnumbered, until a socket comes."""

    # --- sockets -------------------------------------------------------------------------------------

    def attach(self, connection: str, host: str, device: str, resume: Resume | None, now: float) -> Replay:
        """Adds a socket. Without a resume point it starts after the newest event.

        Raises SessionRevoked, TooManySockets or AheadOfOutbox, and then changes nothing.
        """
        self.expire(now)
        if device in self.revoked:
            raise SessionRevoked(device)
        if connection not in self.sockets and len(self.sockets) >= self.policy.max_sockets:
            raise TooManySockets(f"at most {self.policy.max_sockets}")
        outbox = self.outbox
        replay = (
            Replay(outbox.stream, outbox.last, (), outbox.last)
            if resume is None
            else outbox.since(resume.stream, resume.seq)
        )
        self.sockets[connection] = Socket(host, device, now, now)
        self.last_seen = now
        self.closed = False
        return replay

    def confirm(self, connection: str, host: str, device: str, now: float) -> Batch:
        """Renews a socket's lease. Returns an empty batch that names the newest event.

        Adds a socket that is unknown because the state was lost. Raises SessionRevoked.
        """
        self.expire(now)
        if device in self.revoked:
            raise SessionRevoked(device)
        socket = self.sockets.get(connection)
        if socket is None:
            self.sockets[connection] = Socket(host, device, now, now)
            self.closed = False
        else:
            socket.confirmed = now
        if socket is None or socket.active:
            self.last_seen = now
        return Batch(self.outbox.stream, self.outbox.last + 1, ())

    def detach(self, connections: Sequence[str], now: float) -> bool:
        """Removes closed sockets. Returns whether any of them was known."""
        known = [self.sockets.pop(connection, None) for connection in connections]
        if any(known):
            self.last_seen = now
            return True
        return False

    def set_active(self, connection: str, active: bool, now: float) -> bool:
        """Notes whether the client is in the foreground. Returns whether that changed anything."""
        socket = self.sockets.get(connection)
        if socket is None or socket.active == active:
            return False
        socket.active = active
        self.last_seen = now
        return True

    def revoke(self, device: str, now: float) -> list[tuple[str, str]]:
        """Revokes a sign-in session. Returns the (host, connection) pairs to close."""
        self.revoked[device] = now + self.policy.revoked_for_s
        sockets = [(s.host, connection) for connection, s in self.sockets.items() if s.device == device]
        self.detach([connection for _, connection in sockets], now)
        return sockets

    def is_live(self, device: str, now: float) -> bool:
        """Returns whether the sign-in session has not been revoked."""
        self.expire(now)
        return device not in self.revoked

    def devices(self) -> dict[str, int]:
        """Returns the number of open sockets per sign-in session."""
        counts: dict[str, int] = {}
        for socket in self.sockets.values():
            counts[socket.device] = counts.get(socket.device, 0) + 1
        return counts

    def by_host(self, device: str | None = None) -> dict[str, list[str]]:
        """Returns the connection ids on each host, of one sign-in session or all."""
        hosts: dict[str, list[str]] = {}
        for connection, socket in self.sockets.items():
            if device in (None, socket.device):
                hosts.setdefault(socket.host, []).append(connection)
        return hosts

    # --- events --------------------------------------------------------------------------------------

    def push(self, item: Item, key: str, now: float) -> int | None:
        """Appends an event for every device. Returns its number, or None if `key` was pushed before or the session is
        closed.

        Raises EventTooLarge.
        """
        if item.size > self.policy.max_event_bytes:
            raise EventTooLarge(f"{item.size} bytes, at most {self.policy.max_event_bytes}")
        if self.closed:
            return None
        self.outbox.expire(now)
        return self.outbox.push(item, key)

    def close_if_unused(self, now: float) -> bool:
        """Closes the session if it has had no socket for as long as events are kept. Returns whether it did: that is to
        be saved. Whoever comes back with a resume point has to resync."""
        if self.closed or self.sockets or self.last_seen + self.policy.outbox_age_s >= now:
            return False
        self.closed = True
        self.outbox.break_off()
        return True

    def since(self, resume: Resume, now: float) -> Replay:
        """Returns the events after a resume point. Raises AheadOfOutbox."""
        self.outbox.expire(now)
        return self.outbox.since(resume.stream, resume.seq)

    # --- unread counters -----------------------------------------------------------------------------

    def count_unread(self, counter: str, change: int) -> int:
        """Adds to a counter, never below zero. Returns its new value. Raises TooManyCounters."""
        return self.set_unread(counter, self.unread.get(counter, 0) + change)

    def set_unread(self, counter: str, value: int) -> int:
        """Sets a counter (0 removes it). Returns its new value. Raises TooManyCounters."""
        value = max(0, value)
        if value == 0:
            self.unread.pop(counter, None)
        elif counter not in self.unread and len(self.unread) >= self.policy.max_counters:
            raise TooManyCounters(f"at most {self.policy.max_counters} counters")
        else:
            self.unread[counter] = value
        return value

    # --- presence ------------------------------------------------------------------------------------

    def presence(self, now: float) -> PresenceState:
        """Returns the presence: online while a socket is active, away while one is open."""
        self.expire(now)
        if any(socket.active for socket in self.sockets.values()):
            return PresenceState(Presence.ONLINE, now)
        return PresenceState(Presence.AWAY if self.sockets else Presence.OFFLINE, self.last_seen)

    def watch(self, viewer: str, now: float) -> PresenceState:
        """Sends presence changes to `viewer` for the policy's time; watching again renews it. The caller has checked
        that the viewer may see them. Returns the present state."""
        state = self.presence(now)
        if viewer in self.watchers or len(self.watchers) < self.policy.max_watchers:
            self.watchers[viewer] = now + self.policy.watch_ttl_s
        return state

    def settle(self, now: float) -> PresenceState | None:
        """Returns what watchers are to be sent now, None if they have it already."""
        state = self.presence(now)
        if state.presence is self.announced:
            return None
        self.announced = state.presence
        return state

    # --- time, storage -------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Removes sockets whose lease has ended, and old revocations, watchers and events."""
        self.outbox.expire(now)
        lost = [c for c, s in self.sockets.items() if s.confirmed + self.policy.socket_lease_s < now]
        if lost:
            self.last_seen = max(self.last_seen, *(self.sockets.pop(c).confirmed for c in lost))
        self.revoked = {d: until for d, until in self.revoked.items() if until > now}
        self.watchers = {v: until for v, until in self.watchers.items() if until > now}

    def save(self) -> dict[str, object]:
        """Returns everything but the events, as a value of format 1 (msgpack types only)."""
        return {
            "forks": self.outbox.forks,
            "sockets": {c: [s.host, s.device, s.since, s.confirmed, s.active] for c, s in self.sockets.items()},
            "revoked": self.revoked,
            "unread": self.unread,
            "watchers": self.watchers,
            "last_seen": self.last_seen,
            "announced": self.announced.value,
            "closed": self.closed,
        }

    @classmethod
    def load(cls, policy: LiveSessionPolicy, outbox: Outbox, saved: Mapping[str, object]) -> "LiveSession":
        """Returns the session that `save()` described, around a loaded outbox."""
        session = cls(policy, outbox)
        for connection, (host, device, since, confirmed, active) in saved["sockets"].items():  # type: ignore[attr-defined]
            session.sockets[connection] = Socket(host, device, since, confirmed, active)
        session.revoked = dict(saved["revoked"])  # type: ignore[call-overload]
        session.unread = dict(saved["unread"])  # type: ignore[call-overload]
        session.watchers = dict(saved["watchers"])  # type: ignore[call-overload]
        session.last_seen = float(saved["last_seen"])  # type: ignore[arg-type]
        session.announced = Presence(saved["announced"])
        session.closed = bool(saved.get("closed", False))
        return session


__all__ = [
    "AheadOfOutbox",
    "EventTooLarge",
    "LiveSession",
    "Presence",
    "PresenceState",
    "SessionRevoked",
    "Socket",
    "TooManyCounters",
    "TooManySockets",
]
