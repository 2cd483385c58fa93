"""The live session state of one user: sockets, revocations, presence, unread counters and the outbox.

Pure: every method takes the time (seconds since 1970) and returns what it decided; the actor that owns it
journals the outbox, pushes batches to the hosts of the sockets and tells watchers about presence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from features.realtime.events import Batch, Item, Replay
from features.realtime.frames import Resume
from features.sessions.outbox import AheadOfOutbox, Outbox
from features.sessions.policy import SessionPolicy


class SessionRevoked(Exception):
    """The device session was revoked."""


class TooManySockets(Exception):
    """The user has as many open sockets as the policy allows."""


class EventTooLarge(Exception):
    """An event larger than the policy allows."""


class UnknownCounter(Exception):
    """There are as many unread counters as the policy allows."""


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


class Session:
    """One user's live session state."""

    def __init__(self, policy: SessionPolicy, outbox: Outbox) -> None:
        self.policy = policy
        self.outbox = outbox
        self.sockets: dict[str, Socket] = {}
        """By connection id."""
        self.revoked: dict[str, float] = {}
        """Device session -> until when it is remembered."""
        self.unread: dict[str, int] = {}
        self.watchers: dict[str, float] = {}
        """User who wants to hear of this one's presence -> until when."""
        self.last_seen = 0.0
        self.announced = Presence.OFFLINE
        """The presence that watchers were told last."""

    # --- sockets -------------------------------------------------------------------------------------

    def attach(self, connection: str, host: str, device: str, resume: Resume | None, now: float) -> Replay:
        """A new socket. Without a resume point it starts at the newest event.

        Raises SessionRevoked, TooManySockets, or AheadOfOutbox; then nothing has changed.
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
        return replay

    def confirm(self, connection: str, host: str, device: str, now: float) -> Batch:
        """The host still holds this socket: renews its lease, and says what the newest event is.

        A socket that is not known (the state was lost) is known again. Raises SessionRevoked.
        """
        self.expire(now)
        if device in self.revoked:
            raise SessionRevoked(device)
        socket = self.sockets.get(connection)
        if socket is None:
            self.sockets[connection] = Socket(host, device, now, now)
        else:
            socket.confirmed = now
        if socket is None or socket.active:
            self.last_seen = now
        return Batch(self.outbox.stream, self.outbox.last + 1, ())

    def detach(self, connections: Sequence[str], now: float) -> bool:
        """These sockets are closed; whether any of them was known."""
        known = [self.sockets.pop(connection, None) for connection in connections]
        if any(known):
            self.last_seen = now
            return True
        return False

    def set_active(self, connection: str, active: bool, now: float) -> bool:
        """The client behind this socket came to the foreground or left it; whether that is news."""
        socket = self.sockets.get(connection)
        if socket is None or socket.active == active:
            return False
        socket.active = active
        self.last_seen = now
        return True

    def revoke(self, device: str, now: float) -> list[tuple[str, str]]:
        """The device session ends: the (host, connection) pairs that must be closed at once."""
        self.revoked[device] = now + self.policy.revoked_for_s
        doomed = [(s.host, connection) for connection, s in self.sockets.items() if s.device == device]
        self.detach([connection for _, connection in doomed], now)
        return doomed

    def is_live(self, device: str, now: float) -> bool:
        """False once the device session was revoked."""
        self.expire(now)
        return device not in self.revoked

    def devices(self) -> dict[str, int]:
        """Open sockets per device session."""
        counts: dict[str, int] = {}
        for socket in self.sockets.values():
            counts[socket.device] = counts.get(socket.device, 0) + 1
        return counts

    def by_host(self) -> dict[str, list[str]]:
        """The connection ids on each host."""
        hosts: dict[str, list[str]] = {}
        for connection, socket in self.sockets.items():
            hosts.setdefault(socket.host, []).append(connection)
        return hosts

    # --- events --------------------------------------------------------------------------------------

    def push(self, item: Item, key: str, now: float) -> int | None:
        """Numbers an event for every device; its number, or None if `key` was pushed before.

        Raises EventTooLarge.
        """
        if item.size > self.policy.max_event_bytes:
            raise EventTooLarge(f"{item.size} bytes, at most {self.policy.max_event_bytes}")
        self.outbox.expire(now)
        return self.outbox.push(item, key)

    def since(self, resume: Resume, now: float) -> Replay:
        """What follows a resume point. Raises AheadOfOutbox."""
        self.outbox.expire(now)
        return self.outbox.since(resume.stream, resume.seq)

    # --- unread counters -----------------------------------------------------------------------------

    def count_unread(self, counter: str, change: int) -> int:
        """Adds to a counter, never below zero; its new value. Raises UnknownCounter when there are too many."""
        return self.set_unread(counter, self.unread.get(counter, 0) + change)

    def set_unread(self, counter: str, value: int) -> int:
        """Sets a counter (0 removes it); its new value. Raises UnknownCounter when there are too many."""
        value = max(0, value)
        if value == 0:
            self.unread.pop(counter, None)
        elif counter not in self.unread and len(self.unread) >= self.policy.max_counters:
            raise UnknownCounter(f"at most {self.policy.max_counters} counters")
        else:
            self.unread[counter] = value
        return value

    # --- presence ------------------------------------------------------------------------------------

    def presence(self, now: float) -> PresenceState:
        """Online while a socket is active, away while one is open."""
        self.expire(now)
        if any(socket.active for socket in self.sockets.values()):
            return PresenceState(Presence.ONLINE, now)
        return PresenceState(Presence.AWAY if self.sockets else Presence.OFFLINE, self.last_seen)

    def watch(self, viewer: str, now: float) -> PresenceState:
        """`viewer`, whom the caller has checked, hears of changes for a while. Watching again renews that."""
        state = self.presence(now)
        if viewer in self.watchers or len(self.watchers) < self.policy.max_watchers:
            self.watchers[viewer] = now + self.policy.watch_ttl_s
        return state

    def settle(self, now: float) -> PresenceState | None:
        """What to tell the watchers now, None if they know it already."""
        state = self.presence(now)
        if state.presence is self.announced:
            return None
        self.announced = state.presence
        return state

    # --- time, storage -------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Forgets sockets without a lease, old revocations, watchers and events."""
        self.outbox.expire(now)
        lost = [c for c, s in self.sockets.items() if s.confirmed + self.policy.socket_lease_s < now]
        if lost:
            self.last_seen = max(self.last_seen, *(self.sockets.pop(c).confirmed for c in lost))
        self.revoked = {d: until for d, until in self.revoked.items() if until > now}
        self.watchers = {v: until for v, until in self.watchers.items() if until > now}

    def save(self) -> dict[str, object]:
        """Everything but the events, as a value of format 1 (msgpack types only)."""
        return {
            "forks": self.outbox.forks,
            "sockets": {c: [s.host, s.device, s.since, s.confirmed, s.active] for c, s in self.sockets.items()},
            "revoked": self.revoked,
            "unread": self.unread,
            "watchers": self.watchers,
            "last_seen": self.last_seen,
            "announced": self.announced.value,
        }

    @classmethod
    def load(cls, policy: SessionPolicy, outbox: Outbox, saved: Mapping[str, object]) -> "Session":
        """The state behind `save()`, around an outbox that was loaded before."""
        session = cls(policy, outbox)
        for connection, (host, device, since, confirmed, active) in saved["sockets"].items():  # type: ignore[attr-defined]
            session.sockets[connection] = Socket(host, device, since, confirmed, active)
        session.revoked = dict(saved["revoked"])  # type: ignore[call-overload]
        session.unread = dict(saved["unread"])  # type: ignore[call-overload]
        session.watchers = dict(saved["watchers"])  # type: ignore[call-overload]
        session.last_seen = float(saved["last_seen"])  # type: ignore[arg-type]
        session.announced = Presence(saved["announced"])
        return session


__all__ = [
    "AheadOfOutbox",
    "EventTooLarge",
    "Presence",
    "PresenceState",
    "Session",
    "SessionRevoked",
    "Socket",
    "TooManySockets",
    "UnknownCounter",
]
