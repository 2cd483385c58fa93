"""The service of groups: founding, changes and messages, and what waits for devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from crypto.identity import IdentityKey
from crypto.mls import CipherSuite, KnownDevices
from features.devices.errors import NotADevice
from features.devices.model import Device, DeviceAddress, user_of
from features.devices.service import DeviceService
from features.groups import inbox_store, store
from features.groups.checking import (
    check_founding,
    digest_of,
    epoch_of_message,
    group_and_epoch,
    group_policy,
    named_accounts,
    proposed_accounts,
    tree_of,
)
from features.groups.errors import (
    BadHandshake,
    EpochOutdated,
    GroupExists,
    GroupFull,
    GroupMessageIdReused,
    GroupMessageTooLarge,
    GroupsUnavailable,
    NoSuchGroup,
    NoSuchGroupMessage,
    NotAllowedInGroup,
    TooManyGroups,
)
from features.groups.handshakes import Change, check_handshake
from features.groups.model import (
    AcceptedCommit,
    Caller,
    GroupContent,
    GroupDelivery,
    GroupMembership,
    GroupMessage,
    GroupRole,
    Handshake,
    Posted,
    StoredGroup,
    Waiting,
)
from features.groups.outdated import current_epoch, current_message
from features.groups.policy import GroupsPolicy
from features.groups.ports import Groups, Stale, WrongEpoch
from features.groups.slots import CheckSlots
from features.groups.trees import KeptTrees, TreeName
from features.identity import Identity
from features.paging import Page, PageRequest, page_of

_ATTEMPTS = 5
"""How often a change is checked, if others are accepted meanwhile."""


@dataclass(frozen=True, slots=True)
class GroupService:
    """Groups through their entities. Without entities (`groups` None) nothing is sent."""

    policy: GroupsPolicy
    suites: frozenset[CipherSuite]
    devices: DeviceService
    slots: CheckSlots
    trees: KeptTrees
    groups: Groups | None = None

    async def found(self, uow: UnitOfWork, identity: Identity, group_info: bytes, now: datetime) -> GroupMembership:
        """Founds a group by the GroupInfo of its first epoch. The same request again returns the same group. Raises
        NotADevice, BadGroupInfo, GroupExists, TooManyGroups, GroupMessageTooLarge."""
        self._check_size("group_info", len(group_info), self.policy.max_group_info_bytes)
        device = await self.devices.device_of_session(uow, identity)
        if device is None:
            raise NotADevice
        creator = DeviceAddress(identity.account_id, device.number)
        policy = group_policy(_known({identity.account_id: [device]}), self.suites)
        founding = check_founding(group_info, creator, policy, int(now.timestamp()))
        digest = digest_of(group_info)
        if await store.found(uow, founding, creator, digest, group_info, now):
            if await store.count(uow, identity.account_id) > self.policy.max_groups:
                raise TooManyGroups
        elif not await store.founded_alike(uow, identity.account_id, founding.group_id, digest):
            raise GroupExists(field="group_info")
        return await self.get(uow, identity.account_id, founding.group_id)

    async def get(self, uow: UnitOfWork, me: UUID, group_id: UUID) -> GroupMembership:
        """Returns a group of the caller. One statement. Raises NoSuchGroup."""
        found = await store.find(uow, me, group_id)
        if found is None:
            raise NoSuchGroup
        return found

    async def list(self, uow: UnitOfWork, me: UUID, page: PageRequest) -> Page[GroupMembership]:
        """Returns the caller's groups, the newest memberships first. One statement."""
        return page_of(await store.memberships(uow, me, page), page.limit, GroupMembership.cursor)

    async def require_manager(self, uow: UnitOfWork, me: UUID, group_id: UUID) -> None:
        """Raises NoSuchGroup, or NotAllowedInGroup for a caller who is neither an owner nor an admin. One statement."""
        if (await self.get(uow, me, group_id)).role is GroupRole.MEMBER:
            raise NotAllowedInGroup

    async def require_room(self, uow: UnitOfWork, me: UUID, group_id: UUID) -> None:
        """Raises GroupFull if nobody can be added to a group of the caller, or NoSuchGroup. One statement."""
        if (await self.get(uow, me, group_id)).members >= self.policy.max_members:
            raise GroupFull(f"A group has at most {self.policy.max_members} members.")

    async def require_capacity(self, uow: UnitOfWork, me: UUID) -> None:
        """Raises TooManyGroups if the caller can be added to no group. One statement."""
        if await store.count(uow, me) >= self.policy.max_groups:
            raise TooManyGroups

    async def group_info(self, uow: UnitOfWork, me: UUID, group_id: UUID) -> bytes:
        """Returns the GroupInfo with which a device of the caller joins by itself. Raises NoSuchGroup."""
        found = await store.group_info(uow, me, group_id)
        if found is None:
            raise NoSuchGroup
        return found

    async def tree(self, uow: UnitOfWork, me: UUID, group_id: UUID, epoch: int) -> bytes:
        """Returns the tree of the present epoch, or of one into which the caller has a Welcome. Raises NoSuchGroup,
        GroupChecksBusy."""
        founded_at = await store.tree_founded_at(uow, me, group_id, epoch)
        if founded_at is None:
            raise NoSuchGroup
        await uow.commit()  # no connection is held while another request reads the tree

        async def read() -> bytes:
            found = await store.tree(uow, group_id, epoch)
            if found is not None:
                return found
            state = await store.state(uow, group_id)
            if state is None or state.epoch != epoch:
                raise NoSuchGroup
            await uow.commit()
            return await self.slots.run(tree_of, state, group_policy(KnownDevices(), self.suites))

        return await self.trees.get(TreeName(group_id, founded_at, epoch), read)

    async def change(self, uow: UnitOfWork, identity: Identity, handshake: Handshake, now: datetime) -> Posted:
        """Has a proposal or commit accepted, and returns when it is durable; the same again is answered alike. Raises
        NotADevice, NoSuchGroup, DeviceNotInGroup, NotTheSender, NotAllowedInGroup, BadHandshake, BadWelcome,
        BadGroupInfo, EpochOutdated, GroupMessageIdReused, GroupMessageTooLarge, GroupFull, GroupChecksBusy,
        GroupsUnavailable."""
        group_id, epoch, content = await self.slots.run(group_and_epoch, handshake.message)
        self._check_sizes(handshake, content)
        for _ in range(_ATTEMPTS):
            caller = await self._caller(uow, identity, group_id)
            state = await store.state(uow, group_id)
            if state is None:
                raise NoSuchGroup
            if state.epoch != epoch:
                return await self._late(uow, group_id, epoch, state.epoch, caller, handshake)
            change = await self._checked(uow, group_id, state, handshake, caller, now)
            try:
                return await self._accepted(uow, group_id, identity, change, now)
            except (Stale, WrongEpoch):
                continue
        raise GroupsUnavailable

    async def send(self, uow: UnitOfWork, sender: Identity, group_id: UUID, message: GroupMessage) -> Posted:
        """Sends an application message and returns when it is durable; the same again is answered alike. Raises
        NoSuchGroup, DeviceNotInGroup, BadGroupMessage, EpochOutdated, GroupMessageIdReused, GroupMessageTooLarge,
        GroupsUnavailable."""
        self._check_size("message", len(message.message), self.policy.max_message_bytes)
        epoch = epoch_of_message(message.message, group_id)
        try:
            return await self._entities().send(group_id, sender, message, epoch)
        except WrongEpoch as wrong:
            caller = await self._caller(uow, sender, group_id)
            commits = await store.commits(uow, group_id, caller.device, epoch, self.policy.max_missed)
            raise EpochOutdated(current_epoch(wrong.epoch, commits)) from None

    async def message(self, uow: UnitOfWork, identity: Identity, group_id: UUID, seq: int) -> bytes:
        """Returns a message that the caller's inbox has without its content. Raises NotADevice, NoSuchGroupMessage."""
        device = await self.devices.device_of_session(uow, identity)
        if device is None:
            raise NotADevice
        address = DeviceAddress(identity.account_id, device.number)
        found = await inbox_store.one(uow, address, group_id, seq)
        if found is None:
            raise NoSuchGroupMessage
        return found

    async def waiting(
        self, uow: UnitOfWork, device: DeviceAddress, after: Waiting, limit: int, max_bytes: int, now: datetime
    ) -> Sequence[GroupDelivery]:
        """Returns up to `limit` messages of groups that wait for a device, oldest first, none after those that have
        `max_bytes` together. One statement."""
        return await inbox_store.waiting(uow, device, after, limit, max_bytes, now)

    async def acknowledge(self, uow: UnitOfWork, device: DeviceAddress, read: Mapping[UUID, int]) -> None:
        """Notes up to which message a device has stored each group's, in one statement. What is no group of the device
        is ignored."""
        await inbox_store.acknowledge(uow, device, read)

    async def _caller(self, uow: UnitOfWork, identity: Identity, group_id: UUID) -> Caller:
        caller = await store.caller(uow, identity.account_id, identity.session_id, group_id)
        if caller is None:
            raise NotADevice
        if not caller.member:
            raise NoSuchGroup
        return caller

    async def _late(
        self, uow: UnitOfWork, group_id: UUID, epoch: int, present: int, caller: Caller, handshake: Handshake
    ) -> Posted:
        """Returns what the caller's commit was answered before, if it is the one that ended its epoch."""
        commits = await store.commits(uow, group_id, caller.device, epoch, self.policy.max_missed)
        if commits and commits[0].epoch == epoch and commits[0].sender == caller.device:
            found: AcceptedCommit = commits[0]
            posted = Posted(found.seq, found.sent_at, epoch + 1)
            if found.digest == digest_of(handshake.message, handshake.welcome, handshake.group_info):
                return posted
            if found.client_id == handshake.client_id:
                raise GroupMessageIdReused(current_message(posted))
        raise EpochOutdated(current_epoch(present, commits))

    async def _checked(
        self, uow: UnitOfWork, group_id: UUID, state: StoredGroup, handshake: Handshake, caller: Caller, now: datetime
    ) -> Change:
        await uow.commit()  # no connection is held during checks
        named, proposed = await self.slots.run(_accounts, state, handshake)
        addable = await store.addable(uow, caller.device.account_id, named)
        known = _known(await self.devices.devices_of(uow, addable | proposed))
        await uow.commit()
        policy = group_policy(known, self.suites)
        change = await self.slots.run(check_handshake, state, handshake, caller, policy, int(now.timestamp()))
        self._check_size("welcome", change.largest_welcome, self.policy.max_group_info_bytes)
        if added := {each.device.account_id for each in change.added}:
            sizes = await store.sizes(uow, group_id, added, self.policy.max_groups)
            if sizes.members > self.policy.max_members:
                raise GroupFull(f"A group has at most {self.policy.max_members} members.")
            if sizes.full_accounts:
                raise BadHandshake("It adds somebody who is in as many groups as are allowed.")
        return change

    async def _accepted(
        self, uow: UnitOfWork, group_id: UUID, identity: Identity, change: Change, now: datetime
    ) -> Posted:
        sessions = await store.sessions(uow, [each.device for each in change.added])
        staged = new_id(now)
        await store.stage(uow, staged, group_id, change, now)
        await uow.commit()
        try:
            return await self._entities().change(group_id, identity, change, sessions, staged)
        except (Stale, WrongEpoch):
            await store.unstage(uow, staged)
            raise

    def _check_sizes(self, handshake: Handshake, content: GroupContent) -> None:
        commits = content is GroupContent.COMMIT
        limit = self.policy.max_commit_bytes if commits else self.policy.max_message_bytes
        self._check_size("message", len(handshake.message), limit)
        self._check_size("welcome", len(handshake.welcome or b""), self.policy.max_welcome_bytes)
        self._check_size("group_info", len(handshake.group_info or b""), self.policy.max_group_info_bytes)

    @staticmethod
    def _check_size(field: str, size: int, limit: int) -> None:
        if size > limit:
            raise GroupMessageTooLarge(f"At most {limit} bytes.", field=field)

    def _entities(self) -> Groups:
        if self.groups is None:
            raise GroupsUnavailable
        return self.groups


def _accounts(state: StoredGroup, handshake: Handshake) -> tuple[set[UUID], set[UUID]]:
    """Returns the accounts whose devices a change brings, and those whose devices pending proposals bring."""
    return named_accounts(handshake.message), proposed_accounts(state)


def _known(devices: Mapping[UUID, Sequence[Device]]) -> KnownDevices:
    known = KnownDevices()
    for account_id, each in devices.items():
        for device in each:
            known.add(user_of(account_id), device.number, IdentityKey.decode(device.identity_key))
    return known
