"""The data of groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from features.devices.model import DeviceAddress
from features.microseconds import time_of
from features.paging import Cursor

MAX_LISTED_BYTES = 64 * 1024
"""A larger message is in lists without its content, which is read by itself."""


def is_group(id: UUID) -> bool:
    """Returns whether an id of a conversation is one of a group: a UUID of version 4, as those of two people never
    are."""
    return id.version == 4


class GroupContent(StrEnum):
    """What a message to a group is."""

    APPLICATION = "application"
    """Ciphertext for all members: a PrivateMessage."""
    PROPOSAL = "proposal"
    """A change that waits for a commit: a PublicMessage."""
    COMMIT = "commit"
    """The change that begins the next epoch: a PublicMessage."""
    WELCOME = "welcome"
    """What a device needs to enter the group: a Welcome for it alone."""


class GroupRole(StrEnum):
    """What an account may do in a group (crypto.mls.RoleAuthorization)."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class GroupMessage:
    """An application message as a client sends it."""

    client_id: UUID
    message: bytes
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """A proposal or commit as a client sends it. A commit comes with the GroupInfo of the epoch that it begins, and
    with a Welcome if it adds somebody."""

    client_id: UUID
    message: bytes
    group_info: bytes | None = None
    welcome: bytes | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that was accepted: its number in the group, when it was stored, and the group's epoch after it."""

    seq: int
    sent_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """What is stored of a group to check a change: the version counts proposals and commits, the parts are those of
    crypto.mls.PublicGroup."""

    epoch: int
    version: int
    parts: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many members a group would have with those who are added, and how many of these are in as many groups as are
    allowed."""

    members: int
    full_accounts: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The calling device. `leaf`: its place in the group's tree, None if it is not in the group; `member`: whether its
    account is."""

    device: DeviceAddress
    leaf: int | None
    member: bool


@dataclass(frozen=True, slots=True)
class GroupMembership:
    """A group as one of its members sees it."""

    group_id: UUID
    epoch: int
    members: int
    role: GroupRole
    joined_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.joined_at, self.group_id)


@dataclass(frozen=True, slots=True)
class GroupDelivery:
    """A message to a group that waits for a device. `message` is None if it is too large for a list."""

    group_id: UUID
    seq: int
    previous: int
    """The newest message before it that is not the device's own; 0: not known."""
    content: GroupContent
    epoch: int
    """The epoch in which it was sent; of a Welcome, the one that it leads into."""
    sender: DeviceAddress | None
    """None: the account is gone."""
    client_id: UUID
    sent_at: datetime
    message: bytes | None
    delivery_tag: bytes | None = None
    """With which the reader can report an application message (features/delivery_tags.py)."""

    def cursor(self) -> Cursor:
        return Cursor(time_of(self.seq), self.group_id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where in what waits for a device a page begins: after this message."""

    seq: int
    group_id: UUID


@dataclass(frozen=True, slots=True)
class AcceptedCommit:
    """A commit that was accepted. `epoch`: the one that it has ended. `message` is None if it is too large for a
    list."""

    seq: int
    epoch: int
    sent_at: datetime
    sender: DeviceAddress | None
    client_id: UUID
    digest: bytes
    message: bytes | None
