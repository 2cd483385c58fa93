"""A server for tests, in memory: the routes of devices and conversations as requests, and a real key directory."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.messaging import Device
from client.messaging.groups.requests import GroupItem
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
from client.storage import Database
from crypto.directory import AccountKeys, KeyDirectory
from crypto.handshake import PublishedPreKeys
from crypto.identity import IdentityKey
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress
from tests.unit.client.model_groups import ModelGroups

PAGE = 3
REMEMBERED = 8
EPOCHS = 2


@dataclass
class Sent:
    """An accepted message. `payloads`: as the accepted request had them."""

    sender: DeviceAddress
    number: int
    payloads: dict[DeviceAddress, bytes]
    answer: Accepted


@dataclass
class ModelServer:
    """`now`: milliseconds. `max_prekeys`: one-time prekeys of a device, of either kind. `signals`: pushes that nobody
    has received yet."""

    now: int = 1_790_000_000_000
    max_prekeys: int = 4
    rosters: dict[str, dict[int, IdentityKey]] = field(default_factory=dict)
    prekeys: dict[DeviceAddress, PublishedPreKeys] = field(default_factory=dict)
    highest: dict[DeviceAddress, int] = field(default_factory=dict)
    mailboxes: dict[DeviceAddress, list[InboxItem | GroupItem]] = field(default_factory=lambda: defaultdict(list))
    newest: dict[tuple[DeviceAddress, str], int] = field(default_factory=dict)
    remembered: dict[tuple[DeviceAddress, str], dict[str, Sent]] = field(default_factory=lambda: defaultdict(dict))
    accepted: list[Sent] = field(default_factory=list)
    signals: list[tuple[DeviceAddress, InboxItem | GroupItem]] = field(default_factory=list)

    def __post_init__(self) -> None:
        log_key = bytes(range(32))
        log_public = Ed25519PrivateKey.from_private_bytes(log_key).public_key().public_bytes_raw()
        self.directory = KeyDirectory(log_key, bytes(range(1, 33)), bytes(range(2, 34)), log_public)
        self.directory.close_epoch(self.now)
        self.groups = ModelGroups(self.rosters, lambda: self.now, self._deliver, lambda each: [*self.mailboxes[each]])

    # --- devices ------------------------------------------------------------------------------------------------

    def register(self, database: Database, account_id: str, number: int, randomness: Randomness) -> None:
        """Registers a client's device, as `docs/messaging.md` says; it is in the directory at once."""
        with database.transaction():
            device = Device(database, randomness)
            identity = device.prepare(account_id)
            device.registered(number)
        self.rosters.setdefault(account_id, {})[number] = identity.public
        self._publish(account_id)

    def remove(self, address: DeviceAddress) -> None:
        del self.rosters[address.user][address.device]
        self.mailboxes.pop(address, None)
        self._publish(address.user)

    def close_epoch(self) -> None:
        self.directory.close_epoch(self.now)

    def _publish(self, account_id: str) -> None:
        found = self.directory.lookup(account_id, 0, 0).keys
        devices = self.rosters[account_id]
        self.directory.submit(AccountKeys.first(account_id, devices) if found is None else found.successor(devices))
        self.directory.close_epoch(self.now)

    # --- requests -----------------------------------------------------------------------------------------------

    def perform(self, sender: DeviceAddress, request: Request) -> Response:
        match request:
            case LookUpKeys(account_id, known_size, seen):
                return KeysFound(self.directory.lookup(account_id, known_size, seen).encode())
            case FetchEpochs(first):
                answers = self.directory.epochs(sender.user, first)[:EPOCHS]
                return EpochsFound(tuple(answer.encode() for answer in answers))
            case TakePreKeys(account_id, devices):
                addresses = [DeviceAddress(account_id, number) for number in devices]
                return PreKeysTaken({each.device: self._take(each) for each in addresses if each in self.prekeys})
            case UploadPreKeys(published):
                return self._upload(sender, PublishedPreKeys.decode(published))
            case CountPreKeys():
                return self._prekeys_left(sender)
            case Send():
                return self._send(sender, request)
            case FetchInbox():
                items = self.mailboxes[sender]
                return InboxPage(tuple(items[:PAGE]), len(items) > PAGE)
            case Acknowledge(received):
                self.mailboxes[sender] = [
                    item for item in self.mailboxes[sender] if item.seq > received.get(_conversation(item), 0)
                ]
                return Done()
            case _:
                return self.groups.perform(sender, request)

    def _take(self, address: DeviceAddress) -> bytes:
        bundle, self.prekeys[address] = self.prekeys[address].take_bundle()
        return bundle.encode()

    def _prekeys_left(self, address: DeviceAddress) -> PreKeysLeft:
        stored = self.prekeys[address]
        return PreKeysLeft(len(stored.one_time), len(stored.one_time_kem))

    def _upload(self, sender: DeviceAddress, published: PublishedPreKeys) -> Response:
        highest = self.highest.get(sender, 0)
        stored = self.prekeys.get(sender)
        new = [key for key in published.one_time if key.id > highest]
        new_kem = [key for key in published.one_time_kem if key.id > highest]
        one_time = (*(stored.one_time if stored else ()), *new)
        one_time_kem = (*(stored.one_time_kem if stored else ()), *new_kem)
        if max(len(one_time), len(one_time_kem)) > self.max_prekeys:
            return Refused("too_many_prekeys")
        self.prekeys[sender] = PublishedPreKeys(
            published.identity, published.signed, published.last_resort, one_time, one_time_kem
        )
        self.highest[sender] = max([highest, *(key.id for key in new), *(key.id for key in new_kem)])
        return self._prekeys_left(sender)

    def _send(self, sender: DeviceAddress, request: Send) -> Response:
        remembered = self.remembered[sender, request.conversation_id]
        payloads = {payload.address: payload.envelope for payload in request.payloads}
        if request.client_id in remembered:
            return remembered[request.client_id].answer
        members = request.conversation_id.split("-")
        current = {DeviceAddress(user, number) for user in members for number in self.rosters.get(user, {})}
        current = {each for each in current if each in self.prekeys}  # before that nobody can write to a device
        if set(payloads) != current - {sender}:
            return DevicesChanged()
        sent = Sent(sender, request.number, payloads, Accepted(len(self.accepted) + 1, self.now))
        self.accepted.append(sent)
        remembered[request.client_id] = sent
        if len(remembered) > REMEMBERED:
            del remembered[next(iter(remembered))]
        for address, envelope in payloads.items():
            (peer,) = (user for user in members if user != address.user)
            place = address, request.conversation_id
            item = InboxItem(
                request.conversation_id,
                peer,
                sent.answer.seq,
                self.newest.get(place, 0),
                sender,
                sent.answer.sent_at,
                envelope,
                b"tag %d" % sent.answer.seq,
            )
            self.newest[place] = item.seq
            self.mailboxes[address].append(item)
            self.signals.append((address, item))
        return sent.answer

    def _deliver(self, address: DeviceAddress, item: GroupItem) -> None:
        place = address, item.group_id
        item = replace(item, previous=self.newest.get(place, 0))
        self.newest[place] = item.seq
        self.mailboxes[address].append(item)
        shown = item.message if item.content == "application" else None  # what is more is to be fetched
        self.signals.append((address, replace(item, message=shown)))


def _conversation(item: InboxItem | GroupItem) -> str:
    return item.group_id if isinstance(item, GroupItem) else item.conversation_id
