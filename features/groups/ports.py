"""The interface of groups as entities."""

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from features.devices.model import DeviceAddress
from features.groups.handshakes import Change
from features.groups.model import GroupMessage, Posted
from features.identity import Identity
from features.ports import Port


class Stale(Exception):
    """A change was checked against a version of the group that is no longer the newest: it has to be checked again."""


class WrongEpoch(Exception):
    """The message is not of the group's present epoch, `epoch`."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


class Groups(Protocol):
    """Groups, each with one writer. All methods raise GroupsUnavailable."""

    async def send(self, group_id: UUID, sender: Identity, message: GroupMessage, epoch: int) -> Posted:
        """Stores a message of an epoch and delivers it. Returns when it is durable. Raises NoSuchGroup,
        DeviceNotInGroup, GroupMessageIdReused, WrongEpoch."""

    async def change(
        self, group_id: UUID, sender: Identity, change: Change, sessions: Mapping[DeviceAddress, UUID], staged: UUID
    ) -> Posted:
        """Accepts a proposal or commit that was checked and staged, if the group is still at the version that it was
        checked against. `sessions`: those of the devices that it adds. Returns when it is durable. Raises NoSuchGroup,
        DeviceNotInGroup, GroupMessageIdReused, WrongEpoch, Stale."""

    async def typing(self, group_id: UUID, sender: Identity) -> None:
        """Tells the other members' sockets that this one is typing; not in a group with many members
        (GroupsPolicy.typing_members), nor again just after. Raises NoSuchGroup, DeviceNotInGroup."""

    async def reload(self, group_ids: Collection[UUID]) -> None:
        """Has groups read what others than they have stored: devices and their sessions."""


GROUPS: Port[Groups] = Port("groups")
