"""The server's state machine of one realtime connection.

Sans-IO: inputs are method calls with the time as an argument, outputs are effects that the host executes. Here are what
a client says, and how a connection begins and ends; which events it sends meanwhile is in delivery.py.

States: HELLO (waits for a ticket) -> ATTACHING (registers with the session) -> OPEN <-> FETCHING (waits for missing
events) / PAUSED (the client is too slow) -> CLOSED.
"""

from enum import Enum

from features.realtime.codec import BadFrame
from features.realtime.connection_effects import Attach, Close, Effect, Forward, Perform, Probe, Transmit
from features.realtime.delivery import NOTHING, Delivery, State
from features.realtime.events import Replay
from features.realtime.frames import (
    Ack,
    ClientFrame,
    CloseCode,
    ErrorFrame,
    Hello,
    Ping,
    Pong,
    Reconnect,
    Request,
    Response,
    Resync,
    SetPresence,
    Watch,
    Welcome,
)
from features.realtime.policy import RealtimePolicy


class Refusal(Enum):
    """Why a hello was not accepted. Values are the close codes sent to the client."""

    TICKET_INVALID = CloseCode.TICKET_INVALID
    TICKET_REPLAYED = CloseCode.TICKET_REPLAYED
    SESSION_REVOKED = CloseCode.SESSION_REVOKED
    TOO_MANY_CONNECTIONS = CloseCode.TOO_MANY_CONNECTIONS
    BAD_SEQUENCE = CloseCode.BAD_SEQUENCE
    UNAVAILABLE = CloseCode.TRY_AGAIN_LATER


class Connection(Delivery):
    """One client connection. Times are seconds of a monotonic clock."""

    __slots__ = ("_bad_frames", "_frames", "_frames_since", "_fresh", "_id", "_probed", "_requests", "_seen_at")

    def __init__(self, connection_id: str, policy: RealtimePolicy, now: float) -> None:
        super().__init__(policy, now)
        self._id = connection_id
        self._fresh = False
        """Whether the client came without a resume point."""
        self._seen_at = now
        self._probed = False
        self._frames = 0
        self._frames_since = now
        self._bad_frames = 0
        self._requests = 0
        """Requests under way."""

    # --- from the client -----------------------------------------------------------------------------

    def heard_from(self, now: float) -> None:
        """Notes that bytes came from the client, WebSocket pongs included: it is alive."""
        self._seen_at = now
        self._probed = False

    def control(self, now: float) -> list[Effect]:
        """Handles a WebSocket control frame or a fragment of a message. They count like frames."""
        self.heard_from(now)
        return self._count_frame(now)

    def receive(self, frame: ClientFrame, now: float) -> list[Effect]:
        """Handles one decoded frame."""
        if self.state is State.CLOSED:
            return NOTHING
        # Each watched user is a call to another entity.
        cost = 1 + len(frame.users) // 10 if isinstance(frame, Watch) else 1
        if limited := self._count_frame(now, cost):
            return limited
        match frame:
            case Hello():
                return self._on_hello(frame)
            case Ping(nonce):
                return [Transmit(Pong(nonce))]
            case _ if self.state in (State.HELLO, State.ATTACHING):
                return self.fail("hello_expected", "the first frame is hello", CloseCode.BAD_FRAME)
            case Ack(seq):
                return self._on_ack(seq)
            case Watch(users) if len(users) > self._policy.max_watched:
                return self.reject(BadFrame("too_many", f"at most {self._policy.max_watched} users"), now)
            case SetPresence() | Watch():
                return [Forward(frame)]
            case Request(id) if self._requests >= self._policy.max_requests:
                detail = f"at most {self._policy.max_requests} requests at a time"
                return [Transmit(Response(id, problem={"code": "too_many_requests", "detail": detail}))]
            case Request():
                self._requests += 1
                return [Perform(frame)]

    def answered(self, response: Response) -> list[Effect]:
        """Handles what a request came to."""
        self._requests -= 1
        return NOTHING if self.state is State.CLOSED else [Transmit(response)]

    def reject(self, bad: BadFrame, now: float) -> list[Effect]:
        """Handles a message that is not a frame: an error frame, fatal where the protocol or the number of bad frames
        demands it."""
        if self.state is State.CLOSED:
            return NOTHING
        self._bad_frames += 1
        if bad.close is not None:
            return self.fail(bad.code, bad.detail, bad.close)
        if self._bad_frames >= self._policy.max_bad_frames or self.state is State.HELLO:
            return self.fail(bad.code, bad.detail, CloseCode.BAD_FRAME)
        return [Transmit(ErrorFrame(bad.code, bad.detail, fatal=False)), *self._count_frame(now)]

    def _count_frame(self, now: float, cost: int = 1) -> list[Effect]:
        if now - self._frames_since >= self._policy.frame_window_s:
            self._frames_since = now
            self._frames = 0
        self._frames += cost
        if self._frames > self._policy.max_frames_per_window:
            return self.fail("too_many_frames", "slow down", CloseCode.TOO_MANY_FRAMES)
        return NOTHING

    def _on_hello(self, hello: Hello) -> list[Effect]:
        if self.state is not State.HELLO:
            return self.fail("unexpected_hello", "hello was already said", CloseCode.BAD_FRAME)
        self.state = State.ATTACHING
        self._fresh = hello.resume is None
        if hello.resume is not None:
            self.stream, self.sent = hello.resume.stream, hello.resume.seq
        return [Attach(hello)]

    def _on_ack(self, seq: int) -> list[Effect]:
        if seq > self.sent:
            detail = f"event {seq} was not sent yet, the last one is {self.sent}"
            return self.fail("bad_sequence", detail, CloseCode.BAD_SEQUENCE)
        self._acked = max(self._acked, seq)
        return self._continue_if_ready()

    # --- from the live session -----------------------------------------------------------------------

    def attached(self, replay: Replay, now: float) -> list[Effect]:
        """Handles the session's response to Attach."""
        if self.state is not State.ATTACHING:
            return NOTHING
        resumed = not self._fresh and replay.gap is None
        gap = None if self._fresh else replay.gap
        self.stream, self.sent, self._acked = replay.stream, replay.since, replay.since
        welcome = Welcome(
            self._id,
            replay.stream,
            replay.since,
            resumed,
            int(self._policy.heartbeat_s * 1000),
            self._policy.window_events,
        )
        effects: list[Effect] = [Transmit(welcome)]
        if gap is not None:
            effects.append(Transmit(Resync(replay.stream, replay.since, gap)))
        self.state = State.OPEN
        self._seen_at = now
        return effects + self._take(replay, now)

    def refused(self, refusal: Refusal, detail: str) -> list[Effect]:
        """Handles a refusal by the ticket store or the session."""
        return self.fail(refusal.name.lower(), detail, refusal.value)

    # --- time, shutdown ------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect]:
        """Checks timeouts. Call it every few seconds."""
        silent = now - self._seen_at
        match self.state:
            case State.CLOSED:
                return NOTHING
            case State.HELLO if now >= self._deadline:
                return self.fail("hello_timeout", "no hello in time", CloseCode.HELLO_TIMEOUT)
            case State.PAUSED if now >= self._deadline:
                detail = f"event {self.sent} was the last one delivered; resume from what you have"
                return self.fail("slow_consumer", detail, CloseCode.SLOW_CONSUMER)
        if silent >= 2 * self._policy.heartbeat_s and self._probed:
            return self.fail("heartbeat_timeout", "nothing heard", CloseCode.HEARTBEAT_TIMEOUT)
        effects: list[Effect] = []
        if silent >= self._policy.heartbeat_s and not self._probed:
            self._probed = True
            effects.append(Probe())
        if self.state is State.OPEN and self._missed is not None:
            effects += self._fetch()
        return effects

    def drain(self, after_ms: int) -> list[Effect]:
        """Asks the client to reconnect elsewhere because the host shuts down."""
        if self.state is State.CLOSED:
            return NOTHING
        self.state = State.CLOSED
        return [Transmit(Reconnect(after_ms)), Close(CloseCode.SERVICE_RESTART, "reconnect")]

    def fail(self, code: str, detail: str, close: CloseCode) -> list[Effect]:
        """Closes the connection with an error frame and a close code."""
        if self.state is State.CLOSED:
            return NOTHING
        self.state = State.CLOSED
        return [Transmit(ErrorFrame(code, detail, fatal=True)), Close(close, code)]

    def closed(self) -> None:
        """Notes that the transport is closed."""
        self.state = State.CLOSED
