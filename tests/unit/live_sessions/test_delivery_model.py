"""A live session, connections and clients over a network that loses, repeats and reorders messages.

The model pushes events numbered 1, 2, 3, ... and checks at every client that it sees each exactly once and
in order, except where it must resync; and that every client has every event once the network works.
"""

from dataclasses import dataclass, field

import msgpack
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from features.live_sessions.machine import LiveSession
from features.live_sessions.outbox import AheadOfOutbox, Entry, Outbox
from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.connection import Connection, Refusal
from features.realtime.connection_effects import Attach, Close, Effect, Fetch, Transmit
from features.realtime.delivery import State
from features.realtime.events import Batch, Item, Replay
from features.realtime.frames import (
    Ack,
    CloseCode,
    Events,
    Hello,
    Resume,
    Resync,
    ServerFrame,
    StreamChanged,
    Welcome,
)
from features.realtime.policy import RealtimePolicy

SESSIONS = LiveSessionPolicy(outbox_events=12, replay_events=3, max_sockets=100)
REALTIME = RealtimePolicy(window_events=6, max_frames_per_window=10**6)
CLIENTS = 2


@dataclass
class Client:
    """What a correct client keeps: where it is, and which event it knows last."""

    name: str
    known: int = 0
    resume: Resume | None = None
    connection: Connection | None = None
    connection_id: str = ""
    wire: list[ServerFrame] = field(default_factory=list)
    closed: CloseCode | None = None


class Delivery(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.pushed = 0
        self.names = 0
        self.journal: list[Entry] = []
        self.journal_last = 0
        self.journal_closed = False
        self.journal_stream = "s0"
        self.journal_forks: dict[str, int] = {}
        self.dropped = 0
        """The newest event that a closed session dropped since the journal last worked."""
        self.lost: set[int] = set()
        """Events that a crash took since the journal was down too: the one double fault that may cost something."""
        self.session = LiveSession(SESSIONS, Outbox("s0", SESSIONS))
        self.position = {("s0", 0): 0}
        """What a client that stands at (stream, number) knows: how many events had been pushed."""
        self.network: list[tuple[Client, str, object]] = []
        self.clients = [Client(f"client{number}") for number in range(CLIENTS)]

    def fresh(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def stand(self) -> None:
        self.position[(self.session.outbox.stream, self.session.outbox.last)] = self.pushed

    # --- the entity's side -------------------------------------------------------------------------------

    @rule(count=st.integers(1, 5), journal_works=st.booleans() | st.just(True))
    def push(self, count: int, journal_works: bool) -> None:
        outbox = self.session.outbox
        first = outbox.last + 1
        for _ in range(count):
            self.pushed += 1
            self.session.close_if_unused(self.now)
            self.session.push(Item("n", int(self.now * 1000), msgpack.packb(self.pushed)), "", self.now)
            self.stand()
        if self.session.closed:
            self.dropped = self.pushed
        if journal_works:
            self.dropped = 0
            self.journal += outbox.entries(self.journal_last + 1)
            self.journal_last = outbox.last
            self.journal_closed = self.session.closed
            self.journal_stream = outbox.stream
            self.journal_forks = dict(outbox.forks)
        batch = outbox.batch(first)
        for client in self.clients:
            if client.connection_id in self.session.sockets:
                self.network.append((client, client.connection_id, batch))

    @rule(state_survives=st.booleans())
    def entity_crashes(self, state_survives: bool) -> None:
        sockets = self.session.sockets
        last = self.journal_last
        stream = self.fresh("s")
        self.lost |= {msgpack.unpackb(e.item.data) for e in self.session.outbox.entries(last + 1)}
        forks = {**self.journal_forks, self.journal_stream: last}
        self.lost |= set(range(1, self.dropped + 1))
        self.dropped = 0
        outbox = Outbox.load(stream, SESSIONS, last, forks, self.journal[-12:])
        seen = self.session.last_seen
        self.session = LiveSession(SESSIONS, outbox)
        if state_survives:
            self.session.sockets, self.session.last_seen = sockets, seen
            # One value holds sockets and `closed`, and every socket that comes saves it.
            self.session.closed = self.journal_closed and not sockets
        self.stand()

    @rule()
    def nobody_is_there_for_long(self) -> None:
        """Every socket is cut, and events grow old."""
        for client in self.clients:
            if client.connection is not None:
                client.connection.closed()
                client.closed = CloseCode.GOING_AWAY
            self.session.detach([client.connection_id], self.now)
        self.now += SESSIONS.outbox_age_s + 1

    def entity_answers(self, client: Client, connection: str, resume: Resume | None) -> None:
        try:
            if connection in self.session.sockets and resume is not None:
                replay = self.session.since(resume, self.now)
            else:
                replay = self.session.attach(connection, "h", client.name, resume, self.now)
        except AheadOfOutbox:
            raise AssertionError("a correct client is never ahead of its stream") from None
        self.network.append((client, connection, replay))

    # --- the network -------------------------------------------------------------------------------------

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def something_arrives(self, data: st.DataObject) -> None:
        self.arrive(data.draw(st.integers(0, len(self.network) - 1)))

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def something_is_repeated(self, data: st.DataObject) -> None:
        message = self.network[data.draw(st.integers(0, len(self.network) - 1))]
        if isinstance(message[2], Batch):
            self.network.append(message)

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def something_is_lost(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.network) - 1))
        client, connection, payload = self.network[index]
        del self.network[index]
        if client.connection is not None and client.connection_id == connection and isinstance(payload, Replay):
            self.carry_out(client, client.connection.fetch_failed())
            if client.connection.state is State.ATTACHING:
                self.carry_out(client, client.connection.refused(Refusal.UNAVAILABLE, "lost"))

    def arrive(self, index: int) -> None:
        client, connection_id, payload = self.network.pop(index)
        connection = client.connection
        if connection is None or client.connection_id != connection_id:
            return
        if isinstance(payload, Batch):
            self.carry_out(client, connection.deliver(payload, self.now))
        elif isinstance(payload, Replay):
            attaching = connection.state is State.ATTACHING
            answer = connection.attached if attaching else connection.fetched
            self.carry_out(client, answer(payload, self.now))

    @rule(index=st.integers(0, CLIENTS - 1))
    def lease(self, index: int) -> None:
        client = self.clients[index]
        if client.connection is not None and client.connection.state not in (State.CLOSED, State.HELLO):
            batch = self.session.confirm(client.connection_id, "h", client.name, self.now)
            self.carry_out(client, client.connection.deliver(batch, self.now))
            self.carry_out(client, client.connection.tick(self.now))

    def carry_out(self, client: Client, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Transmit(frame):
                    client.wire.append(frame)
                case Attach(hello):
                    self.entity_answers(client, client.connection_id, hello.resume)
                case Fetch(stream, seq):
                    self.entity_answers(client, client.connection_id, Resume(stream, seq))
                case Close(code, _):
                    client.closed = code

    # --- the clients' side -------------------------------------------------------------------------------

    @rule(index=st.integers(0, CLIENTS - 1), resume=st.booleans() | st.just(True))
    def connect(self, index: int, resume: bool) -> None:
        """Cuts whatever connection there was: frames that were on the wire are lost."""
        client = self.clients[index]
        if client.connection is not None:
            client.connection.closed()
        client.wire.clear()
        client.connection_id = self.fresh("c")
        client.connection = Connection(client.connection_id, REALTIME, self.now)
        client.closed = None
        if not resume:
            client.resume = None
        self.carry_out(client, client.connection.receive(Hello("ticket", client.resume), self.now))

    @rule(index=st.integers(0, CLIENTS - 1), most=st.integers(1, 6))
    def client_reads(self, index: int, most: int) -> None:
        client = self.clients[index]
        for _ in range(min(most, len(client.wire))):
            self.see(client, client.wire.pop(0))

    def see(self, client: Client, frame: ServerFrame) -> None:
        match frame:
            case Welcome():
                if not frame.resumed:
                    client.known = self.position[(frame.stream, frame.seq)]
                else:
                    assert client.resume is not None
                    assert frame.seq == client.resume.seq
                client.resume = Resume(frame.stream, frame.seq)
            case Resync():
                client.known = self.position[(frame.stream, frame.seq)]
                client.resume = Resume(frame.stream, frame.seq)
            case StreamChanged():
                assert client.resume is not None
                client.resume = Resume(frame.stream, client.resume.seq)
            case Events():
                assert client.resume is not None
                assert frame.seq == client.resume.seq + 1
                for number in (msgpack.unpackb(event.data) for event in frame.items):
                    assert number > client.known
                    assert self.lost.issuperset(range(client.known + 1, number))
                    client.known = number
                client.resume = Resume(client.resume.stream, frame.last)
            case _:
                pass

    @rule(index=st.integers(0, CLIENTS - 1))
    def client_acknowledges(self, index: int) -> None:
        client = self.clients[index]
        if client.connection is None or client.resume is None or client.closed is not None:
            return
        if client.connection.state in (State.HELLO, State.ATTACHING, State.CLOSED):
            return
        if client.resume.seq <= client.connection.sent:
            self.carry_out(client, client.connection.receive(Ack(client.resume.seq), self.now))

    @rule(full=st.booleans(), index=st.integers(0, CLIENTS - 1))
    def socket_fills_or_drains(self, full: bool, index: int) -> None:
        client = self.clients[index]
        if client.connection is None:
            return
        if full:
            client.connection.pause_writing()
        else:
            self.carry_out(client, client.connection.resume_writing())

    def teardown(self) -> None:
        for index, client in enumerate(self.clients):
            if client.connection is None or client.closed is not None:
                self.connect(index, resume=True)
        for _ in range(60):
            for index in range(CLIENTS):
                self.socket_fills_or_drains(False, index)
                while self.network:
                    self.arrive(0)
                self.client_reads(index, 10**6)
                self.client_acknowledges(index)
                self.lease(index)
        for client in self.clients:
            assert client.closed is None
            assert self.lost.issuperset(range(client.known + 1, self.pushed + 1))


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
