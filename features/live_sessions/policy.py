"""Limits of a user's live session."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveSessionPolicy:
    """The numbers a brand can change. Units are in the names: seconds, bytes, otherwise counts."""

    outbox_events: int = 512
    outbox_bytes: int = 256 * 1024
    outbox_age_s: float = 300.0
    """How far behind the newest event a resume point can be: in events, bytes and seconds."""
    journal_ttl_s: float = 30 * 86_400.0
    """How long a session's state (unread counters, revocations) is kept after its last change. Events are kept only as
    long as a resume can need them."""
    replay_events: int = 128
    replay_bytes: int = 64 * 1024
    """Maximum size of one response to a resume; the connection fetches the rest afterwards."""
    max_event_bytes: int = 32 * 1024
    max_sockets: int = 20
    socket_lease_s: float = 90.0
    """A socket whose host does not confirm it for this long is removed."""
    revoked_for_s: float = 3600.0
    """How long a revoked sign-in session is remembered: longer than the lifetime of its access tokens."""
    presence_grace_s: float = 10.0
    """A change of presence shorter than this (a reconnect) is not sent to watchers."""
    max_watchers: int = 5000
    watch_ttl_s: float = 600.0
    max_counters: int = 500
    """Maximum number of unread counters per user."""
