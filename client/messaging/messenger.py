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

from client.messaging.changes import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    MessageChanged,
    NotSent,
    PeerTyping,
)
from client.messaging.contents import Content, Receipt, Resend, Text
from client.messaging.device import Device
from client.messaging.directory import Directory
from client.messaging.incoming import Incoming
from client.messaging.outgoing import Outgoing, Pending
from client.messaging.own_keys import OwnKeys
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
from crypto.directory import DirectoryKeys, EpochAnswer, LookupAnswer
from crypto.errors import CryptoError
from crypto.handshake import PreKeyBundle
from crypto.identity import IdentityKey, SafetyNumber
from crypto.randomness import Randomness, SystemRandomness
from crypto.sessions import DeviceAddress

_PREKEYS_CHECK_MS = 3_600_000
_FRESH_MS = 600_000
"""How old the look-up may be after whose head epochs are checked."""


class Messenger:
    """Not safe for several threads. `changes` is what the user should see; the caller empties it."""

    def __init__(
        self,
        database: Database,
        directory: DirectoryKeys,
        randomness: Randomness | None = None,
        *,
        prekeys: int = 100,
    ) -> None:
        """`prekeys`: how many one-time prekeys of each kind the server should have.

        Raises NotRegistered before this device has a number (`Device.registered`).
        """
        randomness = randomness or SystemRandomness()
        self._database = database
        self._randomness = randomness
        self._prekeys = prekeys
        self._device = Device(database, randomness)
        self._directory = Directory(database, directory)
        self._own_keys = OwnKeys(database, self._device, self._directory)
        self.address = self._device.address
        self._timeline = Timeline(database, self.address.user)
        self._receipts = Receipts(database, self.address.user)
        self._repair = Repair(database, self.address)
        self._incoming = Incoming(database, self._device, self._directory, self._timeline)
        self._outgoing = Outgoing(database, self._device, randomness)
        self.changes: list[Change] = []
        with database.transaction():
            for number, message_id in self._outgoing.too_long():
                self._refuse(number, message_id, "too_long")
        self._waits = Waits()
        self._wanted = 1  # how often the inbox was to be read
        self._fetching = self._fetched = 0  # up to which of these the fetch under way, and the last whole one, will do
        self._prekeys_checked_at: int | None = None
        self._prekeys_counted = False  # whether all is known that the server has said about those that are left
        self._encrypted_anew: set[int] = set()
        self._unreachable: set[DeviceAddress] = set()  # had no prekeys; left out unless the server asks for them
        self._told_unreachable: set[DeviceAddress] = set()
        self._changed: set[str] = set()  # accounts whose keys are looked up again, although nothing is sent to them

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
        self._prekeys_counted = False  # a signal may have been missed, too
        self.fetch()

    def fetch(self) -> None:
        """Messages may have been missed."""
        self._wanted += 1

    def pushed(self, item: InboxItem) -> None:
        """A message has come over the socket."""
        with self._database.transaction():
            missing = self._incoming.store((item,), pushed=True)
        if missing:
            self.fetch()

    def devices_changed(self, account_id: str) -> None:
        """The server says that devices of an account have come or gone. Nothing is done for accounts whose keys this
        device has never needed."""
        if self._directory.known(account_id) is not None:
            with self._database.transaction():
                self._directory.distrust(account_id)
            self._changed.add(account_id)

    def peer_typing(self, conversation_id: str, account_id: str) -> None:
        """The server says that somebody is typing. Only the peer of a conversation that is known here can be."""
        known = self._database.rows(
            "select 1 from conversations where id = ? and peer = ?", conversation_id, account_id
        )
        if known:
            self.changes.append(PeerTyping(conversation_id))

    def prekeys_low(self) -> None:
        """The server has few one-time prekeys of this device left."""
        self._prekeys_counted = False

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
        if published := self._upload(now):
            yield UploadPreKeys(published)
        elif not self._prekeys_counted:
            yield CountPreKeys()
        if received := self._incoming.unacknowledged():
            yield Acknowledge(received)
        elif self._wanted > self._fetched:
            self._fetching = self._wanted
            yield FetchInbox()
        if self._own_keys.due(now):
            known = self._directory.known(self.address.user)
            fresh = known is not None and now - known.looked_up_at < _FRESH_MS
            yield self._own_keys.request() if fresh else self._directory.request(self.address.user)
        for account_id in sorted(unknown | self._changed):
            yield self._directory.request(account_id)
        while any(self._withdraw(pending) for pending in self._outgoing.heads()):
            pass  # what waited behind it is the first one now
        for pending in self._outgoing.heads():
            if self._waits.ready(_send_key(pending.conversation_id), now):
                yield from self._send(pending, now)

    def next_at(self, now: int) -> int | None:
        """When something that waits may be tried again; None if nothing waits."""
        times = (self._waits.next(now), self._receipts.next_at(), self._timeline.next_expiry())
        return min((each for each in times if each is not None), default=None)

    def failed(self, request: Request, now: int) -> None:
        """There was no response, and nobody knows whether the server has carried the request out."""
        self._waits.failed(_key(request), now)

    def handle(self, request: Request, response: Response, now: int) -> None:
        """Takes in the response to a request. Raises TypeError for one that does not belong to it."""
        failed = False
        match request, response:
            case LookUpKeys(account_id), KeysFound(answer, pending):
                failed = not self._keys_found(account_id, answer, now) or pending
                if not pending:
                    self._changed.discard(account_id)
            case FetchEpochs(), EpochsFound(answers):
                failed = not self._epochs_found(request, answers, now)
            case TakePreKeys(), PreKeysTaken():
                failed = not self._start_sessions(request, response)
            case Send(), Accepted(seq, sent_at):
                with self._database.transaction():
                    self._accepted(request, seq, sent_at, now)
                self._encrypted_anew.discard(request.number)
            case Send(), Refused(code):
                with self._database.transaction():
                    body = self._outgoing.body(request.number)
                    if body is not None:
                        self._refuse(request.number, body.id, code)
                        if not isinstance(body.content, Text | Receipt | Resend):
                            self.changes.append(NotSent(request.conversation_id, code))
                self._encrypted_anew.discard(request.number)
            case Send(), DevicesChanged():
                failed = request.number in self._encrypted_anew  # at once, then less and less often
                self._encrypted_anew.add(request.number)
                self._unreachable.clear()  # the server may ask for one of these
                with self._database.transaction():
                    self._outgoing.devices_changed(request.number)
                    for account_id in {self.address.user, *(payload.address.user for payload in request.payloads)}:
                        self._directory.distrust(account_id)
            case FetchInbox(), InboxPage(items, more):
                with self._database.transaction():
                    self._incoming.store(items)
                if not more:
                    self._fetched = self._fetching
                failed = more and not self._incoming.unacknowledged()  # the server repeats itself
            case Acknowledge(received), Done():
                with self._database.transaction():
                    self._incoming.acknowledged(received.items())
            case UploadPreKeys(published), PreKeysLeft():
                with self._database.transaction():
                    self._device.uploaded(published)
                    self._replenish(response, now)
            case CountPreKeys(), PreKeysLeft():
                with self._database.transaction():
                    self._replenish(response, now)
            case UploadPreKeys(published), Refused(code):
                self._upload_refused(published, code, now)
                failed = True
            case LookUpKeys(account_id), Refused():
                self._changed.discard(account_id)
                failed = True
            case _, Refused():
                failed = True
            case _:
                raise TypeError(f"{type(response).__name__} is no response to {type(request).__name__}")
        if failed:
            self._waits.failed(_key(request), now)
        else:
            self._waits.succeeded(_key(request))

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

    def _accepted(self, request: Send, seq: int, sent_at: int, now: int) -> None:
        body = self._outgoing.body(request.number)
        if body is not None:
            self._outgoing.forget(request.number)
            self.changes += self._timeline.apply(request.conversation_id, self.address, body, seq, sent_at, now)

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

    def _upload(self, now: int) -> bytes | None:
        if self._prekeys_checked_at is None or now - self._prekeys_checked_at > _PREKEYS_CHECK_MS:
            if self._device.prekeys_due(now // 1000):
                # The server still has one-time prekeys of the former ones: its count says how many more it needs.
                first = 0 if self._device.has_prekeys() else self._prekeys
                with self._database.transaction():
                    self._device.make_prekeys(first, first, now // 1000)
            self._prekeys_checked_at = now
        return self._device.upload

    def _replenish(self, left: PreKeysLeft, now: int) -> None:
        """Makes the one-time prekeys that the server is short of, once half of a kind is gone."""
        self._prekeys_counted = True
        if self._device.upload is None and min(left.one_time, left.kem) * 2 <= self._prekeys:
            one_time, kem = (max(self._prekeys - each, 0) for each in (left.one_time, left.kem))
            if one_time or kem:
                self._device.make_prekeys(one_time, kem, now // 1000)

    def _upload_refused(self, published: bytes, code: str, now: int) -> None:
        """The signed prekey goes without one-time prekeys. If the server keeps fewer of these than this device wants it
        to have, then half as many will do, until the process ends."""
        if code == "too_many_prekeys":
            self._prekeys //= 2
        with self._database.transaction():
            if self._device.upload == published:
                self._device.make_prekeys(0, 0, now // 1000)

    def _send(self, pending: Pending, now: int) -> Iterator[Request]:
        if not pending.encrypted:
            due = [each for each in (self.address.user, pending.peer) if self._directory.due(each, now)]
            if due:
                yield from (self._directory.request(account_id) for account_id in due)
                return
            if not self._directory.devices(pending.peer):  # all its devices are gone, perhaps only for now
                self._directory.distrust(pending.peer)
                self._waits.failed(_send_key(pending.conversation_id), now)
                return
            with self._database.transaction():
                body = self._outgoing.body(pending.number)
                if body is not None and isinstance(body.content, Text) and body.content.again is None:
                    self._repair.written_for(body.id, self._audience(pending))
                missing = self._outgoing.encrypt(pending, self._unreachable, self._repair.renewals())
            if missing:
                account_id = missing[0].user
                yield TakePreKeys(account_id, tuple(each.device for each in missing if each.user == account_id))
                return
        yield self._outgoing.request(pending)

    def _withdraw(self, pending: Pending) -> bool:
        """Forgets a message that was to be sent again and must not be any more. Returns whether it has."""
        body = None if pending.encrypted else self._outgoing.body(pending.number)
        if body is None or not isinstance(body.content, Text) or body.content.again is None:
            return False
        if self._repair.may_go_to(body.id, self._audience(pending)):
            return False
        with self._database.transaction():
            self._outgoing.forget(pending.number)
        return True

    def _audience(self, pending: Pending) -> list[IdentityKey]:
        """The devices of both accounts, as known."""
        return [key for user in (self.address.user, pending.peer) for key in self._directory.devices(user).values()]

    def _keys_found(self, account_id: str, encoded: bytes, now: int) -> bool:
        first = self._directory.known(account_id) is None and account_id != self.address.user
        try:
            with self._database.transaction():
                answer = LookupAnswer.decode(encoded)
                change = self._directory.found(self._device, account_id, answer, now)
                if account_id == self.address.user and answer.keys is not None:
                    self._own_keys.begin(answer, answer.keys, self._directory.index(account_id, answer), now)
        except CryptoError as error:
            self.changes.append(DirectoryDistrusted(account_id, str(error)))
            return False
        if change is None:
            return False  # somebody who has no device yet
        if not first and (change.added or change.replaced or change.stale):
            self.changes.append(DevicesLearned(account_id, change.added + change.replaced, change.stale))
        return True

    def _epochs_found(self, request: FetchEpochs, encoded: tuple[bytes, ...], now: int) -> bool:
        try:
            with self._database.transaction():
                self._own_keys.found(request, [EpochAnswer.decode(each) for each in encoded], now)
        except CryptoError as error:
            self._own_keys.failed(now)
            self.changes.append(DirectoryDistrusted(self.address.user, str(error)))
        return bool(encoded) or request.first >= request.size

    def _start_sessions(self, request: TakePreKeys, response: PreKeysTaken) -> bool:
        complete = True
        asked = {number: DeviceAddress(request.account_id, number) for number in request.devices}
        unreachable = {address for number, address in asked.items() if number not in response.bundles}
        self._unreachable = (self._unreachable - set(asked.values())) | unreachable
        if new := unreachable - self._told_unreachable:
            self.changes.append(DevicesUnreachable(request.account_id, tuple(sorted(each.device for each in new))))
        self._told_unreachable = (self._told_unreachable - set(asked.values())) | unreachable
        with self._database.transaction():
            sessions = self._device.open_sessions((request.account_id,))
            for number, address in asked.items():
                try:
                    bundle = PreKeyBundle.decode(response.bundles[number])
                    sessions.start(address, bundle, self._randomness)
                    self._repair.renewed(address)
                except (KeyError, CryptoError):  # none yet, gone, or another key than in the directory: look again
                    self._directory.distrust(request.account_id)
                    complete = False
        return complete


def _key(request: Request) -> Hashable:
    """What waits when the request fails."""
    match request:
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
