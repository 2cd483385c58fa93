"""Devices that crash between any two steps, over a network that loses, repeats, delays and reorders.
They write, react, edit, delete and read.

A crash ends a device before or after a commit, or before or after the server has carried a request out; what remains is
the device's database. When the network calms down, every message that anybody wrote has been accepted once, and is on
every device that it was addressed to, once, in one order, and all devices that had everything show the same.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from client.messaging import Messenger
from client.messaging.body import Body
from client.messaging.contents import Content, Deletion, Edit, Reaction, Text, Timer
from client.messaging.groups.requests import GroupItem, SendToGroup
from client.messaging.requests import InboxItem, Request, Send
from client.storage import Database
from crypto.randomness import SeededRandomness
from crypto.sessions import DeviceAddress
from tests.unit.client.model_server import ModelServer

ADA, BOB, EVE = "a" * 32, "b" * 32, "e" * 32
CONVERSATIONS = {ADA: (f"{ADA}-{BOB}", f"{ADA}-{EVE}"), BOB: (f"{ADA}-{BOB}",), EVE: (f"{ADA}-{EVE}",)}
FIRST = [DeviceAddress(ADA, 1), DeviceAddress(ADA, 2), DeviceAddress(BOB, 1), DeviceAddress(EVE, 1)]
DEVICE = st.integers(0, 9)
SHM = Path("/dev/shm")
FAULTS = st.sampled_from(
    ["none"] * 6 + ["crash before", "crash after", "request lost", "response lost", "repeated", "pushed meanwhile"]
)


class Crash(BaseException):
    """The process ends here."""


class CrashingDatabase(Database):
    """`countdown`: how many commits until the crash; then before (0) or after the commit (1)."""

    countdown: tuple[int, bool] | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        crash_now = False
        with super().transaction():
            yield
            if self.countdown is not None:
                left, after = self.countdown
                crash_now = left == 0
                self.countdown = None if crash_now else (left - 1, after)
                if crash_now and not after:
                    raise Crash
        if crash_now:
            raise Crash


@dataclass
class Phone:
    """A device. `written`: the numbers and texts that it has certainly stored."""

    address: DeviceAddress
    path: Path
    database: CrashingDatabase
    messenger: Messenger
    written: dict[int, str]
    texts: dict[int, str]
    """The texts among what it has sent: message ids by numbers of requests."""


def hear(messenger: Messenger, item: InboxItem | GroupItem) -> None:
    """As `client.account.Account` does."""
    if isinstance(item, GroupItem) and item.message is None:
        messenger.fetch()
    else:
        messenger.pushed(item)


class Network(RuleBasedStateMachine):
    @initialize(seed=st.binary(min_size=4, max_size=4), strangers=st.booleans())
    def begin(self, seed: bytes, strangers: bool) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None)
        self.random = SeededRandomness(seed)
        self.server = ModelServer()
        self.late: list[tuple[DeviceAddress, Request]] = []
        self.phones: list[Phone] = []
        self.removed: list[DeviceAddress] = []
        self.count = 0
        for address in FIRST:
            self.add(address)
        self.prepare()
        if not strangers:  # everybody has a session with everybody
            for phone in self.phones:
                for conversation in CONVERSATIONS[phone.address.user]:
                    self.write(phone, conversation)
            self.calm_down()

    def prepare(self) -> None:
        """What else there is at the beginning."""

    def add(self, address: DeviceAddress) -> None:
        path = Path(self.folder.name) / f"{address.user[0]}{address.device}.db"
        database = CrashingDatabase(path, bytes(32))
        self.server.register(database, address.user, address.device, self.random)
        messenger = self.messenger(database)
        phone = Phone(address, path, database, messenger, {}, {})
        for conversation in CONVERSATIONS[address.user]:
            (peer,) = (user for user in conversation.split("-") if user != address.user)
            messenger.add_conversation(conversation, peer)
        self.phones.append(phone)
        # A registered device has uploaded prekeys before anybody is told about it.
        request = messenger.next_request(self.server.now)
        assert request is not None
        messenger.handle(request, self.server.perform(address, request), self.server.now)

    def messenger(self, database: Database) -> Messenger:
        return Messenger(database, self.server.directory.public, self.random, prekeys=2, key_packages=2)

    def restart(self, phone: Phone) -> None:
        phone.database.close()
        phone.database = CrashingDatabase(phone.path, bytes(32))
        phone.messenger = self.messenger(phone.database)

    def step(self, phone: Phone, fault: str) -> bool:
        """One request of a device. Returns whether there was one."""
        now = self.server.now
        try:
            request = phone.messenger.next_request(now)
            if request is None:
                return False
            if isinstance(request, Send | SendToGroup):
                self.note_text(phone, request)
            if fault == "crash before":
                raise Crash
            if fault == "request lost":
                self.late.append((phone.address, request))
                phone.messenger.failed(request, now)
                return True
            response = self.server.perform(phone.address, request)
            if fault == "crash after":
                raise Crash
            if fault == "response lost":
                phone.messenger.failed(request, now)
                return True
            if fault == "repeated":
                self.late.append((phone.address, request))
            if fault == "pushed meanwhile":
                for address, item in self.server.signals:
                    if address == phone.address:
                        hear(phone.messenger, item)
            phone.messenger.handle(request, response, now)
        except Crash:
            self.restart(phone)
        return True

    def note_text(self, phone: Phone, request: Send | SendToGroup) -> None:
        ((encoded,),) = phone.database.rows("select body from outgoing where number = ?", request.number)
        body = Body.decode(encoded)
        if isinstance(body.content, Text):
            phone.texts[request.number] = body.id

    def phone(self, index: int) -> Phone:
        return self.phones[index % len(self.phones)]

    @rule(device=DEVICE, which=st.integers(0, 1))
    def somebody_writes(self, device: int, which: int) -> None:
        phone = self.phone(device)
        conversations = CONVERSATIONS[phone.address.user]
        self.write(phone, conversations[which % len(conversations)])

    def write(self, phone: Phone, conversation: str) -> None:
        self.count += 1
        text = f"message {self.count}"
        try:
            number = phone.messenger.write(conversation, text, self.server.now)
            phone.written[number] = text
        except Crash:
            self.restart(phone)

    @rule(device=DEVICE, index=st.integers(0, 30), what=st.sampled_from(["react", "edit", "delete"]))
    def somebody_changes_a_message(self, device: int, index: int, what: str) -> None:
        phone = self.phone(device)
        rows = phone.database.rows(
            "select conversation_id, account_id, message_id from messages where problem is null order by number"
        )
        if not rows:
            return
        conversation, author, message = rows[index % len(rows)]
        self.count += 1
        content: Content
        if what == "react" or author != phone.address.user:
            content = Reaction(author, message, None if self.count % 5 == 0 else f"{self.count}")
        else:
            content = Edit(message, f"edited {self.count}") if what == "edit" else Deletion(message)
        self.do(phone, lambda: phone.messenger.send(conversation, content, self.server.now))

    @rule(device=DEVICE, which=st.integers(0, 1), seconds=st.sampled_from([None, 60, 86_400]))
    def somebody_sets_the_timer(self, device: int, which: int, seconds: int | None) -> None:
        phone = self.phone(device)
        conversations = CONVERSATIONS[phone.address.user]
        conversation = conversations[which % len(conversations)]
        self.do(phone, lambda: phone.messenger.send(conversation, Timer(seconds), self.server.now))

    @rule(device=DEVICE, which=st.integers(0, 1))
    def somebody_reads(self, device: int, which: int) -> None:
        phone = self.phone(device)
        conversations = CONVERSATIONS[phone.address.user]
        conversation = conversations[which % len(conversations)]
        self.do(phone, lambda: phone.messenger.read(conversation, self.server.now))

    def do(self, phone: Phone, what: Callable[[], object]) -> None:
        try:
            what()
        except Crash:
            self.restart(phone)

    @rule(device=DEVICE, faults=st.lists(FAULTS, min_size=1, max_size=12))
    def a_device_works(self, device: int, faults: list[str]) -> None:
        for fault in faults:
            if not self.step(self.phone(device), fault):
                break

    @rule(device=DEVICE, commits=st.integers(0, 6), after=st.booleans())
    def a_device_will_crash(self, device: int, commits: int, after: bool) -> None:
        self.phone(device).database.countdown = commits, after

    @rule(seconds=st.sampled_from([1, 60, 3_700, 86_400]))
    def time_goes_by(self, seconds: int) -> None:
        self.server.now += seconds * 1_000
        self.server.close_epoch()

    @precondition(lambda self: self.server.signals)
    @rule(data=st.data(), keep=st.booleans())
    def the_socket_pushes_any_message(self, data: st.DataObject, keep: bool) -> None:
        index = data.draw(st.integers(0, len(self.server.signals) - 1))
        address, item = self.server.signals[index] if keep else self.server.signals.pop(index)
        self.push(address, item)

    def push(self, address: DeviceAddress, item: InboxItem | GroupItem) -> None:
        for phone in self.phones:
            if phone.address == address:
                try:
                    hear(phone.messenger, item)
                except Crash:
                    self.restart(phone)

    @rule()
    def the_server_forgets_what_came_before(self) -> None:
        self.server.newest.clear()

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_request_arrives_late(self, data: st.DataObject) -> None:
        address, request = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        if any(phone.address == address for phone in self.phones):
            self.server.perform(address, request)

    @precondition(lambda self: len(self.phones) < 7)
    @rule(user=st.sampled_from([ADA, BOB]))
    def somebody_gets_another_device(self, user: str) -> None:
        used = [address.device for address in self.server.prekeys if address.user == user]
        self.add(DeviceAddress(user, max(used) + 1))

    @precondition(lambda self: len(self.phones) > len(FIRST))
    @rule()
    def the_newest_device_is_removed(self) -> None:
        phone = self.phones.pop()
        phone.database.close()
        self.server.remove(phone.address)
        self.removed.append(phone.address)

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self.calm_down()
            for phone in self.phones:
                self.check(phone)
        finally:
            for phone in self.phones:
                phone.database.close()
            self.folder.cleanup()

    def calm_down(self) -> None:
        """The network is there, for everybody and without errors, until nobody has anything to do."""
        self.server.signals.clear()
        for phone in self.phones:
            phone.database.countdown = None
            phone.messenger.connected()
        for _ in range(1_000):
            requests = sum(self.step(phone, "none") for phone in self.phones)
            signals, self.server.signals = self.server.signals, []
            for address, item in signals:
                self.push(address, item)
            if requests + len(signals) == 0:
                ends = [end for phone in self.phones if (end := phone.messenger.next_at(self.server.now)) is not None]
                if not ends:
                    break
                self.server.now = min(ends)
                self.server.close_epoch()
        waiting = [phone.database.rows("select number from outgoing") for phone in self.phones]
        assert waiting == [[]] * len(self.phones), "messages are not sent"
        assert not any(self.server.mailboxes[phone.address] for phone in self.phones), "messages are not acknowledged"

    def check(self, phone: Phone) -> None:
        rows = phone.database.rows(
            "select account_id, device, text, problem, seq, number, message_id from messages"
            " where conversation_id like '%-%' order by seq"  # of two people
        )
        # A device that was removed before the first look-up at its account cannot be verified any more.
        refused = {(row[0], row[1], row[3]) for row in rows if row[3] is not None}
        assert refused <= {(*address, "unknown_device") for address in self.removed}
        # What it wrote is there and was accepted once.
        mine = [sent for sent in self.server.accepted if sent.sender == phone.address]
        accepted = {phone.texts[sent.number]: sent.answer.seq for sent in mine if sent.number in phone.texts}
        assert len(mine) == len({sent.number for sent in mine}), "something was accepted twice"
        own = {number for user, device, _, _, _, number, _ in rows if (user, device) == phone.address}
        assert own >= {each for each, text in phone.written.items() if text.startswith("message")}
        assert accepted == {id: seq for user, device, _, _, seq, _, id in rows if (user, device) == phone.address}
        # What was addressed to it is there once, in the server's order.
        texts = {
            sent.answer.seq: sent
            for sender in self.phones
            for sent in self.server.accepted
            if sent.sender == sender.address and sent.number in sender.texts
        }
        present = {other.address for other in self.phones}
        received = [row[4] for row in rows if row[:2] != phone.address and row[:2] in present]
        assert sorted(received) == [seq for seq, sent in sorted(texts.items()) if phone.address in sent.payloads]
        for user, device, _, _, seq, *_ in rows:
            if (user, device) in present:
                assert texts[seq].sender == (user, device)
        # Devices that were there all the time show the same, where all those that wrote still can be verified.
        if phone.address in FIRST and not self.removed:
            for conversation in CONVERSATIONS[phone.address.user]:
                peers = [each for each in self.phones if each.address in FIRST and each.address.user in conversation]
                assert len({str(self.shown(each, conversation)) for each in peers}) == 1

    def shown(self, phone: Phone, conversation: str) -> list[tuple[object, ...]]:
        """What a device shows of a conversation."""
        return [
            *phone.database.rows(
                "select m.seq, m.account_id, m.message_id, m.text, m.edit_seq, m.deleted,"
                " (select json_group_array(json_array(account_id, emoji)) from (select account_id, emoji from reactions"
                " where reactions.number = m.number and emoji is not null order by account_id))"
                " from messages as m where conversation_id = ? order by m.seq",
                conversation,
            ),
            *phone.database.rows("select expires_in_s from conversations where id = ?", conversation),
        ]


Network.TestCase.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
TestNetwork = Network.TestCase
