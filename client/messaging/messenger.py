"""Messaging of one device as a machine without network and clock: it makes requests and is told the responses.

    while (request := messenger.next_request(now)) is not None:
        try:
            messenger.handle(request, await perform(request), now)
        except NoResponse:
            messenger.failed(request, now)

All that matters is in the database. Each step is one transaction: new session states are stored before what they made
is sent, and messages before they are acknowledged. The process may end between any two steps, and no request has to be
performed exactly once.
"""

from collections.abc import Callable, Hashable, Iterator

from client.messaging.changes import Change, MessageChanged, NotSent, PeerTyping
from client.messaging.contents import Content, Receipt, Rename, Resend, Text
from client.messaging.device import Device
from client.messaging.directory import Directory
from client.messaging.groups.answers import NO_SUCH_GROUP, NOT_IN_GROUP
from client.messaging.groups.machine import Groups
from client.messaging.groups.requests import (
    ChangeGroup,
    ClaimKeyPackages,
    EpochEnded,
    FetchGroup,
    FetchGroupMessage,
    FetchTree,
    FoundGroup,
    GroupItem,
    GroupRequest,
    ListGroups,
    SendToGroup,
)
from client.messaging.incoming import Incoming
from client.messaging.look_ups import LookUps
from client.messaging.outgoing import Outgoing, Pending
from client.messaging.pair_sending import NoDevices, PairSending
from client.messaging.prekeys import PreKeys
from client.messaging.receipts import Receipts
from client.messaging.repair import Repair
from client.messaging.requests import (
    Accepted,
    Acknowledge,
    CountPreKeys,
    DevicesChanged,
    Done,
    EpochsFound,
    FetchEpochs,
    FetchInbox,
    InboxItem,
    InboxPage,
    KeysFound,
    LookUpKeys,
    PreKeysLeft,
    PreKeysTaken,
    Refused,
    Request,
    Response,
    Send,
    TakePreKeys,
    UploadPreKeys,
)
from client.messaging.timeline import Timeline
from client.messaging.waits import Waits
from client.storage import Database
from crypto.directory import DirectoryKeys
from crypto.identity import SafetyNumber
from crypto.randomness import Randomness, SystemRandomness


class Messenger:
    """Not safe for several threads. `changes` is what the user should see; the caller empties it."""

    def __init__(
        self,
        database: Database,
        directory: DirectoryKeys,
        randomness: Randomness | None = None,
        *,
        prekeys: int = 100,
        key_packages: int = 20,
    ) -> None:
        """`prekeys`: how many one-time prekeys of each kind the server should have; `key_packages`: how many of these.

        Raises NotRegistered before this device has a number (`Device.registered`).
        """
        randomness = randomness or SystemRandomness()
        self._database = database
        self._device = device = Device(database, randomness)
        self.address = device.address
        self.changes: list[Change] = []
        self._directory = Directory(database, directory)
        self._prekeys = PreKeys(database, device, prekeys)
        self._look_ups = LookUps(database, device, self._directory)
        self._timeline = Timeline(database, self.address.user)
        self._receipts = Receipts(database, self.address.user)
        self._repair = Repair(database, self.address)
        self._incoming = Incoming(database, device, self._directory, self._timeline)
        self._outgoing = Outgoing(database, device, randomness)
        self._sending = PairSending(database, device, self._directory, self._outgoing, self._repair, randomness)
        self.groups = Groups(
            *(database, device, self._directory, self._look_ups, self._outgoing, self._timeline, randomness),
            *(self.changes, key_packages),
        )
        with database.transaction():
            for number, message_id in self._outgoing.too_long():
                self._refuse(number, message_id, "too_long")
        self._waits = Waits()
        self._wanted = 1  # how often the inbox was to be read
        self._fetching = self._fetched = 0  # up to which of these the fetch under way, and the last whole one, will do
        self._encrypted_anew: set[int] = set()

    # --- what the user does -------------------------------------------------------------------------------------

    def add_conversation(self, conversation_id: str, peer: str) -> None:
        """Makes a conversation known that the user has opened at the server. Raises ValueError for one with oneself."""
        if peer == self.address.user:
            raise ValueError("a conversation is with somebody else")
        with self._database.transaction():
            self._database.execute(
                "insert into conversations (id, peer, accepted) values (?, ?, 1)"
                " on conflict (id) do update set accepted = 1",
                conversation_id,
                peer,
            )

    def accepted(self, conversation_id: str) -> None:
        """The user has accepted a conversation, or need not: receipts are sent."""
        with self._database.transaction():
            self._database.execute("update conversations set accepted = 1 where id = ?", conversation_id)

    def write(self, conversation_id: str, text: str, now: int) -> int:
        """Writes a message, which is sent when that is possible. Returns its number. Raises ValueError, which
        says why, before anything is stored."""
        number = self.send(conversation_id, Text(text), now)
        assert number is not None
        return number

    def send(
        self, conversation_id: str, content: Content, now: int, together_with: Callable[[], None] = lambda: None
    ) -> int | None:
        """Sends anything when that is possible. `together_with`: what happens in the same transaction. Returns the
        number of the message if it is one. Raises ValueError, which says why, before anything is stored."""
        with self._database.transaction():
            together_with()
            return self._add(conversation_id, content, now)

    def read(self, conversation_id: str, now: int) -> None:
        """The user has seen all messages of a conversation."""
        with self._database.transaction():
            self._timeline.read(conversation_id, now)
            self._receipts.read(conversation_id)

    @property
    def reads(self) -> bool:
        """Whether authors are told that their messages were read."""
        return self._receipts.reads

    @reads.setter
    def reads(self, reads: bool) -> None:
        self._receipts.reads = reads

    def safety_number(self, conversation_id: str) -> SafetyNumber | None:
        """What both people compare to know that nobody is between them; None before their keys were looked up."""
        ((peer,),) = self._database.rows("select peer from conversations where id = ?", conversation_id)
        own, theirs = self._directory.devices(self.address.user), self._directory.devices(peer)
        if not own or not theirs:
            return None
        return SafetyNumber.of(self.address.user.encode(), own.values(), peer.encode(), theirs.values())

    # --- what the connection says -------------------------------------------------------------------------------

    def connected(self) -> None:
        """The connection is there again: what waits is tried at once, and messages may have been missed."""
        self._waits.clear()
        self._look_ups.connected()
        self._prekeys.low()  # a signal may have been missed, too
        self.groups.connected()
        self.fetch()

    def fetch(self) -> None:
        """Messages may have been missed."""
        self._wanted += 1

    def pushed(self, item: InboxItem | GroupItem) -> None:
        """A message has come over the socket."""
        with self._database.transaction():
            missing = self._store((item,), pushed=True)
        if missing:
            self.fetch()

    def devices_changed(self, account_id: str) -> None:
        """The server says that devices of an account have come or gone. Nothing is done for accounts whose keys this
        device has never needed."""
        self._look_ups.devices_changed(account_id)

    def peer_typing(self, conversation_id: str, account_id: str) -> None:
        """The server says that somebody is typing. Only the peer of a conversation that is known here, or a member of
        a group who is not blocked, can be."""
        known = self._database.rows(
            "select 1 from conversations where id = ? and peer = ?"
            " union all select 1 from group_members where group_id = ? and account_id = ?"
            " and account_id not in (select account_id from blocked)",
            *(conversation_id, account_id, conversation_id, account_id),
        )
        if known:
            self.changes.append(PeerTyping(conversation_id, account_id))

    def keys_low(self) -> None:
        """The server has few one-time prekeys or KeyPackages of this device left."""
        self._prekeys.low()
        self.groups.packages_low()

    # --- requests -----------------------------------------------------------------------------------------------

    def next_request(self, now: int) -> Request | None:
        """Does what can be done here, and returns the next request; None if there is nothing to ask now. `now`: in
        milliseconds."""
        ready = (request for request in self._requests(now) if self._waits.ready(_key(request), now))
        return next(ready, None)

    def _requests(self, now: int) -> Iterator[Request]:
        self._expire(now)
        unknown = self._decrypt(now)
        self._send_receipts(now)
        yield from self._prekeys.requests(now)
        if received := self._incoming.unacknowledged():
            yield Acknowledge(received)
        elif self._wanted > self._fetched:
            self._fetching = self._wanted
            yield FetchInbox()
        yield from self._look_ups.requests(unknown, now)
        yield from self.groups.requests(now, inbox_read=self._wanted <= self._fetched)
        while any(self._withdraw(pending) for pending in self._outgoing.heads()):
            pass  # what waited behind it is the first one now
        for pending in self._outgoing.heads():
            if self._waits.ready(_send_key(pending.conversation_id), now):
                yield from self._send(pending, now)
        yield from self.groups.upkeep(inbox_read=self._wanted <= self._fetched)

    def next_at(self, now: int) -> int | None:
        """When something that waits may be tried again; None if nothing waits."""
        times = (
            self._waits.next(now),
            self._look_ups.next_at(now),
            self._receipts.next_at(),
            self._timeline.next_expiry(),
            self.groups.next_at(now),
        )
        return min((each for each in times if each is not None), default=None)

    def failed(self, request: Request, now: int) -> None:
        """There was no response, and nobody knows whether the server has carried the request out."""
        if isinstance(request, GroupRequest):
            self.groups.failed(request)
        self._waits.failed(_key(request), now)

    def handle(self, request: Request, response: Response, now: int) -> None:
        """Takes in the response to a request. Raises TypeError for one that does not belong to it."""
        if self._handle(request, response, now):
            self._waits.failed(_key(request), now)
        else:
            self._waits.succeeded(_key(request))

    def _handle(self, request: Request, response: Response, now: int) -> bool:
        """Returns whether the request is to be tried again only after a while."""
        match request, response:
            case LookUpKeys(account_id), KeysFound(answer, pending):
                return not self._keys_found(account_id, answer, now, pending=pending)
            case LookUpKeys(account_id), Refused():
                self._look_ups.refused(account_id)
                return True
            case FetchEpochs(), EpochsFound(answers):
                done, changes = self._look_ups.epochs_found(request, answers, now)
                self.changes += changes
                return not done
            case TakePreKeys(), PreKeysTaken():
                done, changes = self._sending.start_sessions(request, response)
                self.changes += changes
                return not done
            case Send(conversation_id=conversation_id) | SendToGroup(group_id=conversation_id), Accepted(seq, sent_at):
                with self._database.transaction():
                    self._accepted(request.number, conversation_id, seq, sent_at, now)
            case SendToGroup(), Refused(code) if code in (NO_SUCH_GROUP, NOT_IN_GROUP):
                return self.groups.handle(request, response, now)
            case Send(conversation_id=conversation_id) | SendToGroup(group_id=conversation_id), Refused(code):
                self._refused(request.number, conversation_id, code)
            case Send(), DevicesChanged():
                failed = request.number in self._encrypted_anew  # at once, then less and less often
                self._encrypted_anew.add(request.number)
                self._sending.devices_changed(request)
                return failed
            case FetchInbox(), InboxPage(items, more):
                with self._database.transaction():
                    self._store(items)
                if not more:
                    self._fetched = self._fetching
                return more and not self._incoming.unacknowledged()  # the server repeats itself
            case Acknowledge(received), Done():
                with self._database.transaction():
                    self._incoming.acknowledged(received.items())
            case UploadPreKeys(published), PreKeysLeft():
                self._prekeys.uploaded(published, response, now)
            case CountPreKeys(), PreKeysLeft():
                self._prekeys.counted(response, now)
            case UploadPreKeys(published), Refused(code):
                self._prekeys.refused(published, code, now)
                return True
            case _ if isinstance(request, GroupRequest):
                failed = self.groups.handle(request, response, now)
                listed = isinstance(request, ListGroups) and self.groups.lists_unknown_groups
                if listed or isinstance(request, ChangeGroup) or isinstance(response, EpochEnded):
                    self.fetch()  # what came before it
                return failed
            case _, Refused():
                return True
            case _:
                raise TypeError(f"{type(response).__name__} is no response to {type(request).__name__}")
        return False

    def _store(self, items: tuple[InboxItem | GroupItem, ...], *, pushed: bool = False) -> bool:
        """Returns whether something before a pushed item is missing."""
        pairs = [each for each in items if isinstance(each, InboxItem)]
        groups = [each for each in items if isinstance(each, GroupItem)]
        missing = self._incoming.store(pairs, pushed=pushed)
        return self.groups.store(groups, pushed=pushed) or missing

    def _keys_found(self, account_id: str, answer: bytes, now: int, *, pending: bool) -> bool:
        done, changes = self._look_ups.keys_found(account_id, answer, now, pending=pending)
        self.changes += changes
        return done

    def _decrypt(self, now: int) -> set[str]:
        """Decrypts all that can be. Returns the accounts that have to be looked up first."""
        unknown: set[str] = set()
        waiting: set[str] = set()
        while True:
            with self._database.transaction():
                decrypted = self._incoming.decrypt(now, waiting)
                for conversation_id, seq, sender in decrypted.failed:
                    request = self._repair.failed(conversation_id, seq, sender, now)
                    if request is not None:
                        self._outgoing.add(conversation_id, request)
                for conversation_id, asked in decrypted.asked:
                    again = self._repair.asked(conversation_id, asked, now)
                    if again is not None:
                        self._outgoing.add(conversation_id, again[1], again[0])
            self.changes += decrypted.changes
            unknown |= decrypted.unknown
            waiting |= decrypted.waiting
            if not decrypted.progress:
                return unknown

    def _add(self, conversation_id: str, content: Content, now: int) -> int | None:
        body = self._outgoing.add(conversation_id, content)
        number = self._timeline.written(conversation_id, self.address, body, now)
        if number is not None:
            self.changes.append(MessageChanged(number))
        return number

    def _accepted(self, number: int, conversation_id: str, seq: int, sent_at: int, now: int) -> None:
        self._encrypted_anew.discard(number)
        body = self._outgoing.body(number)
        if body is not None:
            self._outgoing.forget(number)
            if isinstance(body.content, Rename) and not self.groups.may_rename(conversation_id):
                return
            self.changes += self._timeline.apply(conversation_id, self.address, body, seq, sent_at, now)

    def _refused(self, number: int, conversation_id: str, code: str) -> None:
        self._encrypted_anew.discard(number)
        with self._database.transaction():
            body = self._outgoing.body(number)
            if body is not None:
                self._refuse(number, body.id, code)
                if not isinstance(body.content, Text | Receipt | Resend):
                    self.changes.append(NotSent(conversation_id, code))

    def _refuse(self, number: int, message_id: str, code: str) -> None:
        self._outgoing.forget(number)
        refused = self._timeline.refused(self.address, message_id, code)
        if refused is not None:
            self.changes.append(MessageChanged(refused))

    def _expire(self, now: int) -> None:
        with self._database.transaction():
            self.changes += self._timeline.expire(now)

    def _send_receipts(self, now: int) -> None:
        with self._database.transaction():
            for conversation_id, receipt in self._receipts.owed(now):
                self._outgoing.add(conversation_id, receipt)

    def _send(self, pending: Pending, now: int) -> Iterator[Request]:
        if pending.to_group:
            yield from self.groups.send(pending, now)
            return
        try:
            yield from self._sending.requests(pending, now)
        except NoDevices:
            self._waits.failed(_send_key(pending.conversation_id), now)

    def _withdraw(self, pending: Pending) -> bool:
        """Forgets what cannot be sent any more. Returns whether it has."""
        if not pending.to_group:
            return self._sending.withdraw(pending)
        if not self.groups.is_left(pending.conversation_id):
            return False
        self._refused(pending.number, pending.conversation_id, NO_SUCH_GROUP)
        return True


def _key(request: Request) -> Hashable:
    """What waits when the request fails."""
    match request:
        case FetchTree() | FetchGroupMessage():
            return request
        case FoundGroup(group_id) | ChangeGroup(group_id) | FetchGroup(group_id) | ClaimKeyPackages(group_id):
            return "group", group_id
        case SendToGroup(group_id=group_id):
            return _send_key(group_id)
        case LookUpKeys(account_id):
            return "look up", account_id
        case TakePreKeys(account_id):
            return "prekeys", account_id
        case Send(conversation_id=conversation_id):
            return _send_key(conversation_id)
        case _:
            return type(request).__name__


def _send_key(conversation_id: str) -> Hashable:
    return "send", conversation_id
