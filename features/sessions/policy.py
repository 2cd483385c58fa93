"""Limits of a user's live session state."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """Every number a brand may tune. Seconds, bytes and counts as the names say."""

    outbox_events: int = 512
    outbox_bytes: int = 256 * 1024
    outbox_age_s: float = 300.0
    """How many events, how large and how old a resume point may be behind."""
    journal_ttl_s: float = 30 * 86_400.0
    """How long after its last change a session's state is kept, unread counters above all. Its events are kept no
    longer than a resume may need them."""
    replay_events: int = 128
    replay_bytes: int = 64 * 1024
    """The most one answer to a resume carries; the rest is asked for again."""
    max_event_bytes: int = 32 * 1024
    max_sockets: int = 20
    socket_lease_s: float = 90.0
    """A socket that its host has not confirmed for so long is forgotten."""
    revoked_for_s: float = 3600.0
    """How long a revoked device session is remembered: longer than any access token of it lives."""
    presence_grace_s: float = 10.0
    """A change of presence that lasts shorter (a reconnect) is not told to anyone."""
    max_watchers: int = 5000
    watch_ttl_s: float = 600.0
    max_counters: int = 500
    """Unread counters per user."""
