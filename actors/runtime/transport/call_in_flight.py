"""One call of a router, from its beginning to its answer."""

from __future__ import annotations

import asyncio
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


class ManyCalls:
    """The waiter of many calls at once. ``future`` is done when all are settled: None, or the first error that came."""

    __slots__ = ("_error", "_left", "future")

    def __init__(self, calls: int, future: asyncio.Future[None]) -> None:
        self.future = future
        self._left = calls
        self._error: BaseException | None = None
        self._settle(0)

    def done(self) -> bool:
        """Whether nobody waits any more: all calls are settled, or the future was cancelled."""
        return self.future.done()

    def set_result(self, _value: Any) -> None:
        """One call was answered."""
        self._settle(1)

    def set_exception(self, error: BaseException) -> None:
        """One call failed."""
        self._error = self._error or error
        self._settle(1)

    def _settle(self, calls: int) -> None:
        self._left -= calls
        if self._left or self.future.done():
            return
        if self._error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(self._error)


def lateness(call: Call) -> CallError:
    """The error for a call whose deadline passed: what kept it, as far as the router knows."""
    if call.sent or call.running:
        return DeadlineExceeded(f"no answer from {call.host} in time")
    if call.stale:
        return StaleEpoch("the shard moved on during the turn, and found no owner in time")
    if call.host:
        return HostUnavailable(f"{call.host} could not be reached in time")
    return HostUnavailable("the shard found no owner in time")
