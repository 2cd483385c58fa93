"""The router's pure core: every call in flight, where it waits, and what becomes of it.

A call is queued for the owner of its shard, sent in a batch, and settled by an answer or its deadline.
It goes back to a queue when its connection breaks, its host dies or says that the shard moved; it keeps
its number all the while, so that the host can tell a second envelope from a second call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from actors.runtime.errors import (
    CallError,
    FrameTooLarge,
    HostUnavailable,
    Overloaded,
    UnknownKind,
    from_wire,
)
from actors.runtime.shard_map import MapView
from actors.runtime.transport.call_in_flight import Call
from actors.runtime.transport.frames import (
    DONE,
    FULL_FRAME,
    MOVED,
    NOT_MINE,
    OLDEST_PROTOCOL,
    RUNNING,
    STALE,
    calls_frame,
    pack_call,
)

MAX_PENDING = 50_000
"""Calls a router has in flight; one more is refused as Overloaded."""
MAX_SENT = 8_192
"""Calls sent to one host and not answered; the others wait here, where they cost the host nothing."""
MAX_SECONDS = 120.0
"""The longest time that a call may take; what is remembered of calls is kept for longer."""
MAX_ID = 1024
"""Characters that an entity's id may have."""
ASK_AGAIN = 0.03
"""Seconds before a call that nobody owned is tried again without news from the map."""


NEVER = float("inf")


class HostQueue:
    """The calls for one host: queued ones, and how many were sent and not answered."""

    __slots__ = ("queue", "sent")

    def __init__(self) -> None:
        self.queue: deque[Call] = deque()
        self.sent: dict[int, Call] = {}


class CallTable:
    """The calls of one router. Every method that takes ``now`` means monotonic seconds."""

    def __init__(self) -> None:
        self.view = MapView()
        self.queues: dict[str, HostQueue] = {}
        self._next = 1
        self._pending: dict[int, Call] = {}
        self._unrouted: dict[int, Call] = {}
        self._ask_again_at = NEVER
        self._earliest = NEVER
        """No call in flight has an earlier deadline."""

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def oldest(self) -> int:
        """The number of the call that is longest in flight, 0 if there is none."""
        return next(iter(self._pending), 0)

    @property
    def unrouted(self) -> int:
        """Calls that wait for news from the map."""
        return len(self._unrouted)

    def add(self, kind: str, entity: str, body: bytes, deadline: float, waiter: Any, trace: str | None = None) -> str:
        """A new call; the host it was queued for, or "" if it waits for the map. Raises the typed errors."""
        if kind not in self.view.owners and self.view.version:
            raise UnknownKind(f"no entities of kind {kind!r} run here")
        call = self._admit(kind, entity, body, deadline, waiter, trace)
        self._route(call)
        return call.host

    def add_for(
        self, host: str, entity: str, body: bytes, deadline: float, waiter: Any, trace: str | None = None
    ) -> None:
        """A new call to the runtime inside one host (kind ""); it dies with the host. Raises HostUnavailable."""
        if host not in self.view.hosts:
            raise HostUnavailable(f"no host {host!r}")
        call = self._admit("", entity, body, deadline, waiter, trace)
        call.pinned = True
        self._queue(call, host)

    def _admit(self, kind: str, entity: str, body: bytes, deadline: float, waiter: Any, trace: str | None) -> Call:
        if len(self._pending) >= MAX_PENDING:
            raise Overloaded(f"{MAX_PENDING} calls are in flight")
        if len(entity) > MAX_ID:
            raise FrameTooLarge(f"an entity's id of {len(entity)} characters, at most {MAX_ID} fit")
        number = self._next
        self._next = number + 1
        call = Call(number, kind, entity, body, deadline, waiter, trace)
        self._pending[number] = call
        if deadline < self._earliest:
            self._earliest = deadline
        return call

    def batch(self, host: str, now: float, max_calls: int = MAX_SENT, version: int = OLDEST_PROTOCOL) -> bytes:
        """The next CALLS frame for a host, in a protocol that it speaks and with at most so many calls; b"" if nothing
        (more) may be sent. Its calls count as sent."""
        host_queue = self.queues.get(host)
        if host_queue is None:
            return b""
        calls: list[bytes] = []
        size = 0
        queue, sent = host_queue.queue, host_queue.sent
        while queue and size < FULL_FRAME and len(sent) < MAX_SENT and len(calls) < max_calls:
            call = queue.popleft()
            if call.host != host or call.sent or call.number not in self._pending:
                continue
            call.sent = True
            sent[call.number] = call
            left = int((call.deadline - now) * 1000)
            left = left if left > 0 else 0
            packed = pack_call(version, call.number, call.kind, call.entity, left, call.body, call.trace)
            calls.append(packed)
            size += len(packed)
        if not calls:
            return b""
        return calls_frame(next(iter(self._pending)), calls)

    def waiting(self, host: str) -> bool:
        """Whether calls are queued for a host and may be sent."""
        host_queue = self.queues.get(host)
        return host_queue is not None and bool(host_queue.queue) and len(host_queue.sent) < MAX_SENT

    def answer(self, host: str, number: int, status: int, value: Any, now: float) -> Call | None:
        """An answer came from a host: the call it settles, or None if it is late, repeated or sends us on."""
        call = self._pending.get(number)
        host_queue = self.queues.get(host)
        if host_queue is not None:
            host_queue.sent.pop(number, None)
        if call is None:
            return None
        if status in (MOVED, NOT_MINE):
            if call.host == host and call.sent:
                call.sent = False
                call.stale = value == STALE
                call.running = value == RUNNING
                if call.running:
                    self._queue(call, host)
                elif status == MOVED and type(value) is str and value in self.view.hosts and value != host:
                    self._queue(call, value)
                else:
                    self._unroute(call, now)
            return None
        del self._pending[number]
        self._unrouted.pop(number, None)
        return call

    def lost(self, host: str) -> None:
        """The connection to a host broke: what was sent on it and not answered is queued again, in order."""
        host_queue = self.queues.get(host)
        if host_queue is None:
            return
        again = [call for call in host_queue.sent.values() if call.host == host and call.number in self._pending]
        host_queue.sent.clear()
        for call in again:
            call.sent = False
        host_queue.queue.extendleft(reversed(again))

    def mapped(self, view: MapView, now: float) -> list[Call]:
        """A newer map: calls find their new hosts; calls pinned to a host that is gone are returned, failed."""
        if view.position != self.view.position and not view.supersedes(self.view):
            return []
        self.view = view
        for host in [host for host in self.queues if host not in view.hosts]:
            host_queue = self.queues.pop(host)
            for call in [*host_queue.sent.values(), *host_queue.queue]:
                if call.host == host and call.number in self._pending:
                    call.sent = False
                    call.host = ""
                    if not call.pinned:
                        self._route(call)
        for host, host_queue in list(self.queues.items()):
            queued, host_queue.queue = host_queue.queue, deque()
            for call in queued:
                if call.host != host or call.sent or call.number not in self._pending:
                    continue
                if call.pinned:
                    host_queue.queue.append(call)
                else:
                    self._route(call)
        unrouted, self._unrouted = self._unrouted, {}
        self._ask_again_at = NEVER
        for call in unrouted.values():
            self._route(call)
        failed = []
        for call in [c for c in self._pending.values() if (c.pinned and not c.host) or self._kindless(c)]:
            del self._pending[call.number]
            self._unrouted.pop(call.number, None)
            failed.append(call)
        return failed

    def _kindless(self, call: Call) -> bool:
        return not call.pinned and call.kind not in self.view.owners

    def tick(self, now: float) -> list[Call]:
        """Calls whose deadline passed, settled; unrouted calls are tried again when it is time."""
        if now >= self._ask_again_at:
            self._ask_again_at = NEVER
            unrouted, self._unrouted = self._unrouted, {}
            for call in unrouted.values():
                self._route(call)
            if self._unrouted:
                self._ask_again_at = now + ASK_AGAIN
        if now < self._earliest:
            return []
        late = [call for call in self._pending.values() if call.deadline <= now]
        for call in late:
            del self._pending[call.number]
            self._unrouted.pop(call.number, None)
            if call.host in self.queues:
                self.queues[call.host].sent.pop(call.number, None)
        self._earliest = min((call.deadline for call in self._pending.values()), default=NEVER)
        return late

    def drain(self) -> Iterable[Call]:
        """Every call in flight, given up."""
        pending, self._pending = self._pending, {}
        self._unrouted.clear()
        self.queues.clear()
        return pending.values()

    def _route(self, call: Call) -> None:
        owners = self.view.owners.get(call.kind)
        owner = owners[call.shard] if owners is not None else ""
        host_queue = self.queues.get(owner)
        if host_queue is not None:
            # Queues of hosts that the map does not name are gone.
            call.host = owner
            host_queue.queue.append(call)
        elif owner and owner in self.view.hosts:
            self._queue(call, owner)
        else:
            call.host = ""
            self._unrouted[call.number] = call

    def _queue(self, call: Call, host: str) -> None:
        call.host = host
        host_queue = self.queues.get(host)
        if host_queue is None:
            host_queue = self.queues[host] = HostQueue()
        host_queue.queue.append(call)

    def _unroute(self, call: Call, now: float) -> None:
        call.host = ""
        self._unrouted[call.number] = call
        self._ask_again_at = min(self._ask_again_at, now + ASK_AGAIN)


def outcome(status: int, value: Any) -> CallError | None:
    """None for a reply, else the error that the answer's status stands for."""
    return None if status == DONE else from_wire(status, value)
