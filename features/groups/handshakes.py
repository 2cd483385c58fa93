"""Checks proposals and commits by the rules that the members of a group follow: what they do, and what is to be stored
if they are accepted. Pure functions.

A change of 1,500 devices takes more than a second of CPU time, so callers run these in another thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from crypto.errors import CryptoError
from crypto.mls import (
    CommitEffect,
    GroupPolicy,
    InvalidWelcome,
    NotAuthorized,
    ProposalReceived,
    PublicCommit,
    PublicGroup,
    Role,
    Roles,
    SenderType,
    WelcomeParts,
    inspect_message,
    welcome_parts,
)
from features.devices.model import DeviceAddress
from features.groups.checking import device_of, digest_of
from features.groups.errors import (
    BadGroupInfo,
    BadHandshake,
    BadWelcome,
    DeviceNotInGroup,
    NotAllowedInGroup,
    NotTheSender,
)
from features.groups.model import Caller, GroupContent, GroupRole, Handshake, StoredGroup

_ROLES = {Role.MEMBER: GroupRole.MEMBER, Role.ADMIN: GroupRole.ADMIN, Role.OWNER: GroupRole.OWNER}


@dataclass(frozen=True, slots=True)
class AddedDevice:
    """A device that a commit adds. `secrets`: its entry in the Welcome, None for one that has joined by itself."""

    device: DeviceAddress
    leaf: int
    secrets: bytes | None


@dataclass(frozen=True, slots=True)
class RemovedDevice:
    """A device that a commit removes."""

    device: DeviceAddress
    leaf: int


@dataclass(frozen=True, slots=True)
class Change:
    """A proposal or commit that was checked, and what is to be stored if it is accepted."""

    handshake: Handshake
    digest: bytes
    content: GroupContent
    version: int
    """Of the group when it was checked."""
    epoch: int
    """In which it was made."""
    put: Mapping[str, bytes]
    deleted: frozenset[str]
    added: tuple[AddedDevice, ...] = ()
    removed: tuple[RemovedDevice, ...] = ()
    roles: Mapping[UUID, GroupRole] | None = None
    """The roles of all who are more than members, if these or the members have changed."""
    joins: DeviceAddress | None = None
    """The device that comes in by this very commit."""
    tree: bytes | None = None
    """The tree of the next epoch, if the commit adds somebody."""
    suite: int = 0
    encrypted_group_info: bytes | None = None

    @property
    def largest_welcome(self) -> int:
        """How many bytes at most one of those who come in reads of the Welcome."""
        return len(self.encrypted_group_info or b"") + max((len(each.secrets or b"") for each in self.added), default=0)


def check_handshake(stored: StoredGroup, handshake: Handshake, caller: Caller, policy: GroupPolicy, now: int) -> Change:
    """Returns what a proposal or commit of the stored epoch does. Raises DeviceNotInGroup, NotTheSender, BadHandshake,
    NotAllowedInGroup, BadWelcome, BadGroupInfo."""
    _check_sender(handshake.message, caller)
    group = PublicGroup.restore(stored.parts, policy)
    try:
        result = group.process(handshake.message, now=now)
    except NotAuthorized as error:
        raise NotAllowedInGroup(f"Your role in the group does not allow this: {error}.") from None
    except CryptoError as error:
        raise BadHandshake(f"No member would accept this: {error}.") from None
    digest = digest_of(handshake.message, handshake.welcome, handshake.group_info)
    if isinstance(result, ProposalReceived):
        changes = group.changes()
        content = GroupContent.PROPOSAL
        return Change(handshake, digest, content, stored.version, stored.epoch, changes.put, changes.delete)
    return _commit(stored, handshake, caller, group, result, digest)


def _check_sender(message: bytes, caller: Caller) -> None:
    sender = inspect_message(message).sender
    assert sender is not None  # of a PublicMessage
    match sender.sender_type:
        case SenderType.MEMBER:
            if caller.leaf is None:
                raise DeviceNotInGroup
            if sender.index != caller.leaf:
                raise NotTheSender
        case SenderType.NEW_MEMBER_COMMIT:
            return
        case _:
            raise NotTheSender


def _commit(
    stored: StoredGroup,
    handshake: Handshake,
    caller: Caller,
    group: PublicGroup,
    commit: PublicCommit,
    digest: bytes,
) -> Change:
    effect = commit.effect
    if device_of(effect.committer.credential) != caller.device:
        raise NotTheSender
    if effect.reinit is not None:
        raise BadHandshake("Groups are not closed by a ReInit here.")
    if handshake.group_info is None:
        raise BadGroupInfo("A commit comes with the GroupInfo of the epoch that it begins.")
    try:
        commit.check_group_info(handshake.group_info)
    except CryptoError as error:
        raise BadGroupInfo(f"This is not the GroupInfo of the next epoch: {error}.") from None
    welcome = _welcome(handshake.welcome, commit)
    try:
        before, after = Roles.of(group.extensions), Roles.of(effect.extensions)
    except CryptoError as error:
        raise BadHandshake(f"No member would accept this: {error}.") from None
    group.apply(commit)
    changes = group.changes()
    return Change(
        handshake,
        digest,
        GroupContent.COMMIT,
        stored.version,
        stored.epoch,
        changes.put,
        changes.delete,
        _added(effect, commit, welcome),
        _removed(effect),
        None if before == after and not effect.added else _by_account(after),
        caller.device if effect.external else None,
        group.ratchet_tree() if effect.added else None,
        0 if welcome is None else welcome.cipher_suite,
        None if welcome is None else welcome.encrypted_group_info,
    )


def _welcome(welcome: bytes | None, commit: PublicCommit) -> WelcomeParts | None:
    """Returns the parts of the Welcome for those whom the commit adds, None if it adds nobody."""
    if welcome is None:
        if commit.new_members:
            raise BadWelcome("The commit adds devices, and there is no Welcome for them.")
        return None
    try:
        parts = welcome_parts(welcome)
        if not commit.new_members:
            raise InvalidWelcome("the commit adds nobody")
        commit.check_welcome(welcome)
    except CryptoError as error:
        raise BadWelcome(f"The Welcome is not for exactly those whom the commit adds: {error}.") from None
    return parts


def _added(effect: CommitEffect, commit: PublicCommit, welcome: WelcomeParts | None) -> tuple[AddedDevice, ...]:
    """Returns the devices that come in: those of the Welcome in the order of their KeyPackages, then one that joins by
    itself."""
    added = []
    for number, change in enumerate(effect.added):
        assert change.after is not None
        device = device_of(change.after.credential)
        assert device is not None  # known to the authentication service
        by_welcome = welcome is not None and number < len(commit.new_members)
        secrets = welcome.entries[commit.new_members[number]] if welcome is not None and by_welcome else None
        added.append(AddedDevice(device, change.after.leaf_index, secrets))
    return tuple(added)


def _removed(effect: CommitEffect) -> tuple[RemovedDevice, ...]:
    removed = []
    for change in effect.removed:
        assert change.before is not None
        device = device_of(change.before.credential)
        assert device is not None  # it was known when it came in
        removed.append(RemovedDevice(device, change.before.leaf_index))
    return tuple(removed)


def _by_account(roles: Roles) -> Mapping[UUID, GroupRole]:
    found = {}
    for account, role in roles.by_account.items():
        try:
            found[UUID(hex=account.decode())] = _ROLES[role]
        except ValueError:
            raise BadHandshake("The roles name what is no account.") from None
    return found
