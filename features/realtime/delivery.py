"""Which events a connection sends: from where it was attached, each once and in order.

It buffers none. It only ever sends the direct successor of the last event it sent (`sent`). After a gap, a change of
stream or a pause of a slow client it fetches from the user's live session again, starting at `sent`, so messages
between session and host may be lost, repeated or reordered without any effect on the client. The backlog of a slow
client stays in the session's outbox, which is bounded.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from features.realtime.connection_effects import Effect, Fetch, Transmit
from features.realtime.events import Batch, Item, Replay
from features.realtime.frames import Events, Resync, Signal, Slow, StreamChanged
from features.realtime.policy import RealtimePolicy


class State(Enum):
    HELLO = "hello"
    ATTACHING = "attaching"
    OPEN = "open"
    FETCHING = "fetching"
    PAUSED = "paused"
    CLOSED = "closed"


NOTHING: list[Effect] = []


@dataclass(frozen=True, slots=True)
class _Missed:
    """An event, by its stream and number."""

    stream: str
    seq: int


class Delivery:
    """The part of a connection's machine that is about events. Times are seconds of a monotonic clock."""

    __slots__ = ("_acked", "_deadline", "_missed", "_policy", "_writable", "sent", "state", "stream")

    def __init__(self, policy: RealtimePolicy, now: float) -> None:
        self._policy = policy
        self.state = State.HELLO
        self.stream = ""
        self.sent = 0
        """The number of the last event written to the transport."""
        self._acked = 0
        self._missed: _Missed | None = None
        """The newest event pushed while a response of the session was awaited."""
        self._writable = True
        self._deadline = now + policy.hello_timeout_s
        """When HELLO or PAUSED ends in a close."""

    # --- from the live session -----------------------------------------------------------------------

    def deliver(self, batch: Batch, now: float) -> list[Effect]:
        """Handles new events pushed by the session."""
        if self.state in (State.ATTACHING, State.FETCHING):
            if self._missed is None or self._missed.stream != batch.stream or self._missed.seq < batch.last:
                self._missed = _Missed(batch.stream, batch.last)
            return NOTHING
        if self.state is not State.OPEN:
            return NOTHING
        if batch.stream != self.stream or batch.seq > self.sent + 1:
            return self._fetch()
        if batch.last <= self.sent:
            return NOTHING
        return self._send(batch.items[self.sent + 1 - batch.seq :], now)

    def fetched(self, replay: Replay, now: float) -> list[Effect]:
        """Handles the session's response to Fetch."""
        if self.state is not State.FETCHING:
            return NOTHING
        self.state = State.OPEN
        effects: list[Effect] = []
        if replay.gap is not None:
            effects.append(Transmit(Resync(replay.stream, replay.since, replay.gap)))
            self.sent = self._acked = replay.since
        elif replay.stream != self.stream:
            effects.append(Transmit(StreamChanged(replay.stream)))
        self.stream = replay.stream
        return effects + self._take(replay, now)

    def fetch_failed(self) -> list[Effect]:
        """Notes that the session could not be reached: tick() fetches again."""
        if self.state is State.FETCHING:
            self.state = State.OPEN
            self._missed = _Missed(self.stream, self.sent + 1)
        return NOTHING

    def signal(self, kind: str, data: Any) -> list[Effect]:
        """Sends a transient event. It is dropped if the client does not keep up."""
        if self.state in (State.OPEN, State.FETCHING) and self._writable:
            return [Transmit(Signal(kind, data))]
        return NOTHING

    def _take(self, replay: Replay, now: float) -> list[Effect]:
        missed, self._missed = self._missed, None
        effects = self._send(replay.items[self.sent - replay.since :], now) if replay.items else []
        if self.state is not State.OPEN:
            return effects
        overtaken = missed is not None and (missed.stream != replay.stream or missed.seq > self.sent)
        if self.sent < replay.last or overtaken:
            return [*effects, *self._fetch()]
        return effects

    def _send(self, items: tuple[Item, ...], now: float) -> list[Effect]:
        room = self._policy.window_events - (self.sent - self._acked)
        effects: list[Effect] = []
        if self._writable and room > 0:
            effects.append(Transmit(Events(self.sent + 1, items[:room])))
            self.sent += min(room, len(items))
        if not self._writable or room < len(items):
            self.state = State.PAUSED
            self._deadline = now + self._policy.slow_timeout_s
            effects.append(Transmit(Slow(self.sent)))
        return effects

    def _fetch(self) -> list[Effect]:
        self.state = State.FETCHING
        self._missed = None
        return [Fetch(self.stream, self.sent)]

    # --- from the transport --------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Notes that the socket's write buffer is over its high-water mark."""
        self._writable = False

    def resume_writing(self) -> list[Effect]:
        """Handles a write buffer that has drained."""
        self._writable = True
        return self._continue_if_ready()

    def _continue_if_ready(self) -> list[Effect]:
        caught_up = self.sent - self._acked <= self._policy.window_events // 2
        if self.state is State.PAUSED and self._writable and caught_up:
            return self._fetch()
        return NOTHING
