"""One call of a router, from its beginning to its answer."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from actors.runtime.errors import CallError, DeadlineExceeded, HostUnavailable, StaleEpoch
from actors.runtime.shard_map import SHARDS


class Call:
    """One call in flight. ``waiter`` is the shell's (a future)."""

    __slots__ = (
        "body",
        "deadline",
        "entity",
        "host",
        "kind",
        "number",
        "pinned",
        "running",
        "sent",
        "shard",
        "stale",
        "trace",
        "waiter",
    )

    def __init__(
        self, number: int, kind: str, entity: str, body: bytes, deadline: float, waiter: Any, trace: str | None
    ) -> None:
        self.number = number
        self.kind = kind
        self.entity = entity
        self.body = body
        self.deadline = deadline
        self.waiter = waiter
        self.trace = trace
        """The traceparent of whoever calls."""
        self.shard = crc32(entity.encode()) % SHARDS  # shard_of, without the call
        self.host = ""
        self.sent = False
        self.pinned = False
        self.running = False
        """Its host was heard to be at it."""
        self.stale = False
        """A turn of it was refused by the database since the shard had moved on."""


def lateness(call: Call) -> CallError:
    """The error for a call whose deadline passed: what kept it, as far as the router knows."""
    if call.sent or call.running:
        return DeadlineExceeded(f"no answer from {call.host} in time")
    if call.stale:
        return StaleEpoch("the shard moved on during the turn, and found no owner in time")
    if call.host:
        return HostUnavailable(f"{call.host} could not be reached in time")
    return HostUnavailable("the shard found no owner in time")
