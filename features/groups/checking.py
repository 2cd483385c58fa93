"""Checks what clients send to a group without any secret, by the rules that its members follow. Pure functions.

A change of 1,500 devices takes more than a second of CPU time, so callers run these in another thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from uuid import UUID

from crypto.errors import CryptoError, DecodeError
from crypto.mls import (
    CipherSuite,
    ContentType,
    Credential,
    GroupPolicy,
    IdentityAuthentication,
    IdentityCredential,
    KnownDevices,
    MlsError,
    PublicGroup,
    Role,
    RoleAuthorization,
    Roles,
    WireFormat,
    inspect_message,
    presented_credentials,
    proposed_credentials,
)
from features.devices.model import DeviceAddress
from features.groups.errors import (
    BadGroupInfo,
    BadGroupMessage,
    BadHandshake,
)
from features.groups.model import GroupContent, StoredGroup, is_group


@dataclass(frozen=True, slots=True)
class Founding:
    """A new group."""

    group_id: UUID
    leaf: int
    parts: Mapping[str, bytes]


def group_policy(known: KnownDevices, suites: frozenset[CipherSuite]) -> GroupPolicy:
    """Returns the rules by which the server follows groups: devices of accounts with their identity keys, roles, and
    devices of members that join by themselves or come back."""
    return GroupPolicy(
        authentication=IdentityAuthentication(known),
        authorization=RoleAuthorization(),
        suites=suites,
        check_received_lifetimes=True,
        allow_external_commits=True,
        allow_resync=True,
    )


def digest_of(*parts: bytes | None) -> bytes:
    """Returns 16 bytes that tell these parts from any others."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update((-1 if part is None else len(part)).to_bytes(8, "big", signed=True) + (part or b""))
    return hashed.digest()


def device_of(credential: Credential) -> DeviceAddress | None:
    """Returns the device that a credential names, None for a credential of another kind."""
    try:
        statement = IdentityCredential.of(credential)
        return DeviceAddress(UUID(hex=statement.user), statement.device)
    except (MlsError, ValueError):
        return None


def named_accounts(message: bytes) -> set[UUID]:
    """Returns the accounts whose devices a proposal or commit brings into the group. Raises BadHandshake."""
    try:
        devices = map(device_of, presented_credentials(message))
    except CryptoError as error:
        raise BadHandshake(f"No member would accept this: {error}.") from None
    return {device.account_id for device in devices if device is not None}


def proposed_accounts(stored: StoredGroup) -> set[UUID]:
    """Returns the accounts whose devices the pending proposals bring: they were there for who has proposed them."""
    devices = map(device_of, proposed_credentials(stored.parts))
    return {device.account_id for device in devices if device is not None}


def check_founding(group_info: bytes, creator: DeviceAddress, policy: GroupPolicy, now: int) -> Founding:
    """Returns a new group, by the GroupInfo of its first epoch with the tree: the creator's device is its only member,
    and its account the owner. Raises BadGroupInfo."""
    try:
        group = PublicGroup.follow(group_info, now=now, policy=replace(policy, max_width=1))
        roles = Roles.of(group.extensions).by_account
    except CryptoError as error:
        raise BadGroupInfo(f"This is not the GroupInfo of a new group: {error}.") from None
    members = group.members
    if group.epoch != 0 or [device_of(each.credential) for each in members] != [creator]:
        raise BadGroupInfo("The group has another member than this device, or is not new.")
    if roles != {creator.account_id.hex.encode(): Role.OWNER}:
        raise BadGroupInfo("The creator's account has to be the group's owner.")
    if len(group.group_id) != 16 or not is_group(UUID(bytes=group.group_id)):
        raise BadGroupInfo("The group's id has to be the 16 bytes of a UUID of version 4.")
    return Founding(UUID(bytes=group.group_id), members[0].leaf_index, group.changes().put)


def epoch_of_message(message: bytes, group_id: UUID) -> int:
    """Returns the epoch of an encrypted message to a group. Raises BadGroupMessage."""
    try:
        info = inspect_message(message)
    except DecodeError:
        raise BadGroupMessage from None
    if (info.wire_format, info.content_type) != (WireFormat.PRIVATE_MESSAGE, ContentType.APPLICATION):
        raise BadGroupMessage
    if info.group_id != group_id.bytes or info.epoch is None:
        raise BadGroupMessage
    return info.epoch


def group_and_epoch(message: bytes) -> tuple[UUID, int, GroupContent]:
    """Returns the group and epoch of a proposal or commit, and which of them it is. Raises BadHandshake."""
    try:
        info = inspect_message(message)
    except DecodeError as error:
        raise BadHandshake(f"No member would accept this: {error}.") from None
    contents = {ContentType.PROPOSAL: GroupContent.PROPOSAL, ContentType.COMMIT: GroupContent.COMMIT}
    content = contents.get(info.content_type) if info.content_type else None
    if info.wire_format != WireFormat.PUBLIC_MESSAGE or content is None:
        raise BadHandshake("Proposals and commits are PublicMessages.")
    if info.group_id is None or len(info.group_id) != 16 or info.epoch is None:
        raise BadHandshake("The message is to no group of this server.")
    return UUID(bytes=info.group_id), info.epoch, content


def tree_of(stored: StoredGroup, policy: GroupPolicy) -> bytes:
    """Returns the tree of the stored epoch."""
    return PublicGroup.restore(stored.parts, policy).ratchet_tree()
