"""Limits and intervals of a realtime connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RealtimePolicy:
    """The numbers a brand can change. Units are in the names: seconds, bytes, otherwise counts."""

    ticket_ttl_s: int = 30
    hello_timeout_s: float = 10.0
    heartbeat_s: float = 30.0
    """Silence after which the server pings; twice this closes the connection."""
    lease_s: float = 30.0
    """How often a host renews the lease of a socket with the live session."""
    max_frame_bytes: int = 16 * 1024
    max_frames_per_window: int = 300
    frame_window_s: float = 10.0
    max_bad_frames: int = 5
    max_requests: int = 16
    """Requests of a client that may be under way."""
    window_events: int = 512
    """Unacknowledged events of a client at which delivery to it pauses."""
    write_high_bytes: int = 64 * 1024
    """Bytes buffered for one socket at which delivery to it pauses."""
    slow_timeout_s: float = 30.0
    """How long a paused client may take to catch up before its connection is closed."""
    max_watched: int = 200
    drain_spread_s: float = 10.0
    """On shutdown each client is asked to reconnect after a random part of this time."""
