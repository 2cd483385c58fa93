"""The groups of the server for tests: what the platform checks (features.groups.checking), without its storage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from client.messaging.groups.requests import (
    ChangeGroup,
    ClaimKeyPackages,
    CountKeyPackages,
    EpochEnded,
    FetchGroup,
    FetchGroupMessage,
    FetchTree,
    FoundGroup,
    GroupFound,
    GroupItem,
    GroupMessageFound,
    GroupRequest,
    GroupsListed,
    KeyPackagesClaimed,
    KeyPackagesLeft,
    ListGroups,
    SendToGroup,
    TreeFound,
    UploadKeyPackages,
)
from client.messaging.requests import Accepted, Done, Refused, Response
from crypto.identity import IdentityKey
from crypto.mls import DEFAULT_SUITE, GroupPolicy, KeyPackage, KnownDevices, PublicGroup, welcome_for
from crypto.sessions import DeviceAddress
from features.devices.model import DeviceAddress as ServerAddress
from features.errors import DomainError
from features.groups.checking import check_founding, epoch_of_message, group_and_epoch, group_policy
from features.groups.handshakes import Change, check_handshake
from features.groups.model import Caller, Handshake, StoredGroup

REMEMBERED = 8


@dataclass
class ModelGroup:
    """`leaves`: of the devices in it. `accepted`: by sender and client id; `sent`: numbers of application messages."""

    parts: dict[str, bytes]
    group_info: bytes
    leaves: dict[DeviceAddress, int]
    epoch: int = 0
    version: int = 0
    trees: dict[int, bytes] = field(default_factory=dict)
    accepted: dict[tuple[DeviceAddress, str], Accepted] = field(default_factory=dict)
    sent: list[tuple[DeviceAddress, int, Accepted, set[DeviceAddress]]] = field(default_factory=list)

    @property
    def accounts(self) -> set[str]:
        return {address.user for address in self.leaves}


@dataclass
class ModelGroups:
    """`deliver`: puts an item into a mailbox. `waiting`: what is there. `large`: messages of so many bytes are read by
    themselves."""

    rosters: Mapping[str, Mapping[int, IdentityKey]]
    now: Callable[[], int]
    deliver: Callable[[DeviceAddress, GroupItem], None]
    waiting: Callable[[DeviceAddress], list[object]]
    large: int = 1 << 16
    groups: dict[str, ModelGroup] = field(default_factory=dict)
    packages: dict[DeviceAddress, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    last_resorts: dict[DeviceAddress, bytes] = field(default_factory=dict)
    messages: dict[tuple[str, int], bytes] = field(default_factory=dict)
    seq: int = 1_000_000

    def perform(self, sender: DeviceAddress, request: GroupRequest) -> Response:
        match request:
            case FoundGroup(group_id, group_info):
                return self._found(sender, group_id, group_info)
            case ChangeGroup():
                return self._change(sender, request)
            case SendToGroup():
                return self._send(sender, request)
            case FetchGroup(group_id):
                group = self.groups.get(group_id)
                if group is None or sender.user not in group.accounts:
                    return Refused("no_such_group")
                return GroupFound(group.group_info, self._tree(group))
            case FetchTree(group_id, epoch):
                group = self.groups[group_id]
                waiting = [
                    each for each in self.waiting(sender) if isinstance(each, GroupItem) and each.content == "welcome"
                ]
                invited = any((each.group_id, each.epoch) == (group_id, epoch) for each in waiting)
                return TreeFound(group.trees[epoch]) if invited or group.epoch == epoch else Refused("no_such_group")
            case FetchGroupMessage(group_id, seq):
                return GroupMessageFound(self.messages[group_id, seq])
            case ListGroups():
                return GroupsListed(tuple(id for id, each in self.groups.items() if sender.user in each.accounts))
            case ClaimKeyPackages(account_ids=account_ids):
                return KeyPackagesClaimed(self._claim(sender, account_ids))
            case UploadKeyPackages(packages):
                for each in packages:
                    if KeyPackage.from_message(each).is_last_resort:
                        self.last_resorts[sender] = each
                    else:
                        self.packages[sender].append(each)
                return self._left(sender)
            case CountKeyPackages():
                return self._left(sender)

    def _left(self, sender: DeviceAddress) -> KeyPackagesLeft:
        return KeyPackagesLeft(len(self.packages[sender]), sender in self.last_resorts)

    def _claim(self, sender: DeviceAddress, account_ids: tuple[str, ...]) -> tuple[bytes, ...]:
        found = []
        for account_id in account_ids:
            for number in self.rosters.get(account_id, {}):
                address = DeviceAddress(account_id, number)
                if address == sender:
                    continue
                if self.packages[address]:
                    found.append(self.packages[address].pop(0))
                elif address in self.last_resorts:
                    found.append(self.last_resorts[address])
        return tuple(found)

    def _policy(self) -> GroupPolicy:
        known = KnownDevices()
        for account_id, devices in self.rosters.items():
            for number, identity in devices.items():
                known.add(account_id, number, identity)
        return group_policy(known, frozenset({DEFAULT_SUITE}))

    def _tree(self, group: ModelGroup) -> bytes:
        return PublicGroup.restore(group.parts, self._policy()).ratchet_tree()

    def _found(self, sender: DeviceAddress, group_id: str, group_info: bytes) -> Response:
        if group_id in self.groups:
            return Done()
        founding = check_founding(group_info, _server(sender), self._policy(), self.now() // 1000)
        assert founding.group_id.hex == group_id
        self.groups[group_id] = ModelGroup(dict(founding.parts), group_info, {sender: founding.leaf})
        return Done()

    def _change(self, sender: DeviceAddress, request: ChangeGroup) -> Response:
        group = self.groups[request.group_id]
        if sender.user not in group.accounts:
            return Refused("no_such_group")
        known = group.accepted.get((sender, request.client_id))
        if known is not None:
            return known
        handshake = Handshake(UUID(request.client_id), request.message, request.group_info, request.welcome)
        stored = StoredGroup(group.epoch, group.version, group.parts)
        caller = Caller(_server(sender), group.leaves.get(sender), True)
        _, epoch, _ = group_and_epoch(request.message)
        if epoch != group.epoch:
            return EpochEnded(group.epoch)
        try:
            change = check_handshake(stored, handshake, caller, self._policy(), self.now() // 1000)
        except DomainError as error:
            return Refused(error.code)
        return self._accept(group, sender, request, change)

    def _accept(self, group: ModelGroup, sender: DeviceAddress, request: ChangeGroup, change: Change) -> Response:
        self.seq += 1
        answer = Accepted(self.seq, self.now())
        before = {each for each in group.leaves if each != sender}
        group.version += 1
        group.parts.update(change.put)
        for name in change.deleted:
            group.parts.pop(name, None)
        for each in change.removed:
            group.leaves.pop(_client(each.device), None)
        content = change.content.value
        for address in before:
            self._put(address, request.group_id, content, group.epoch, sender, request.message, self.seq)
        if content == "commit":
            group.epoch += 1
            assert request.group_info is not None
            group.group_info = request.group_info
            if change.tree is not None:
                group.trees[group.epoch] = change.tree
        for added in change.added:
            address = _client(added.device)
            group.leaves[address] = added.leaf
            if added.secrets is not None:
                assert change.encrypted_group_info is not None
                welcome = welcome_for(change.suite, added.secrets, change.encrypted_group_info)
                self._put(address, request.group_id, "welcome", group.epoch, sender, welcome, self.seq)
        group.accepted[sender, request.client_id] = answer
        return answer

    def _send(self, sender: DeviceAddress, request: SendToGroup) -> Response:
        group = self.groups[request.group_id]
        known = group.accepted.get((sender, request.client_id))
        if known is not None:
            return known
        if sender.user not in group.accounts:
            return Refused("no_such_group")
        if sender not in group.leaves:
            return Refused("device_not_in_group")
        epoch = epoch_of_message(request.message, UUID(request.group_id))
        if epoch != group.epoch:
            return EpochEnded(group.epoch)
        self.seq += 1
        answer = Accepted(self.seq, self.now())
        readers = {each for each in group.leaves if each != sender}
        for address in readers:
            self._put(address, request.group_id, "application", epoch, sender, request.message, self.seq)
        group.sent.append((sender, request.number, answer, readers))
        group.accepted[sender, request.client_id] = answer
        mine = [key for key in group.accepted if key[0] == sender]
        if len(mine) > REMEMBERED:
            del group.accepted[mine[0]]
        return answer

    def _put(
        self,
        address: DeviceAddress,
        group_id: str,
        content: str,
        epoch: int,
        sender: DeviceAddress,
        message: bytes,
        seq: int,
    ) -> None:
        shown: bytes | None = message
        if content != "welcome":
            self.messages[group_id, seq] = message
            shown = message if len(message) <= self.large else None
        tag = b"tag %d" % seq if content == "application" else None
        self.deliver(address, GroupItem(group_id, content, epoch, seq, 0, sender, self.now(), shown, tag))


def _server(address: DeviceAddress) -> ServerAddress:
    return ServerAddress(UUID(address.user), address.device)


def _client(address: ServerAddress) -> DeviceAddress:
    return DeviceAddress(address.account_id.hex, address.number)
