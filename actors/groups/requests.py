"""What clients can ask of groups over their sockets: to say that somebody is typing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from features.groups.ports import Groups
from features.identity import Identity
from features.messaging.outgoing import read_conversation


class GroupRequests:
    """Implements features.realtime.ports.Requests."""

    names = ("group_typing",)

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    async def perform(self, user: str, device: str, _what: str, data: Mapping[str, Any]) -> Any:
        """`group_typing` tells the other members of the group that is the `conversation_id`. Raises BadMessage,
        NoSuchGroup, DeviceNotInGroup."""
        await self._groups.typing(read_conversation(data), Identity(UUID(user), UUID(device)))
        return {}
