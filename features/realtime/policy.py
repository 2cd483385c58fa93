"""Limits and intervals of a realtime connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RealtimePolicy:
    """Every number a brand may tune. Seconds, bytes and counts as the names say."""

    ticket_ttl_s: int = 30
    hello_timeout_s: float = 10.0
    heartbeat_s: float = 30.0
    """Silence after which the server pings; twice this without any answer closes the connection."""
    lease_s: float = 30.0
    """How often a host tells the session entity that a socket is still there."""
    max_frame_bytes: int = 16 * 1024
    max_frames_per_window: int = 300
    frame_window_s: float = 10.0
    max_bad_frames: int = 5
    window_events: int = 512
    """Events a client may leave unacknowledged before delivery to it pauses."""
    write_high_bytes: int = 64 * 1024
    """Bytes waiting in user space for one socket before delivery to it pauses."""
    slow_timeout_s: float = 30.0
    """How long a paused client may take to catch up before it is disconnected."""
    max_watched: int = 200
    drain_spread_s: float = 10.0
    """On shutdown clients are asked to come back at a random moment within this span."""
