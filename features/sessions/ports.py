"""What other features ask of users' live sessions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from features.sessions.machine import PresenceState

Payload = Mapping[str, Any]
"""JSON values with string keys; UUIDs and datetimes are allowed and become text."""


class LiveSessions(Protocol):
    """Every method raises SessionsUnavailable (a features.errors.Unavailable) when the session cannot be reached."""

    async def push(self, user_id: UUID, kind: str, payload: Payload, *, key: str = "") -> None:
        """An event for every device of a user, numbered and kept for those that come back soon.

        On return it survives the loss of any one process (while Redis is down too, delivery goes on without that
        protection). With a `key` (an event id), a second push of the
        same key is dropped, so that at-least-once callers do not double it. Raises Invalid for a payload that
        is too large.
        """

    async def push_many(self, user_ids: Sequence[UUID], kind: str, payload: Payload, *, key: str = "") -> None:
        """The same event for many users."""

    async def signal(self, user_id: UUID, kind: str, payload: Payload) -> None:
        """Something that is only worth knowing now (typing): to the sockets that are open, not kept."""

    async def revoke(self, user_id: UUID, device_id: UUID) -> None:
        """A device session has ended: its sockets close at once and it cannot open new ones."""

    async def devices(self, user_id: UUID) -> dict[UUID, int]:
        """How many sockets each device session has open."""

    async def presence_of(self, viewer_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, PresenceState]:
        """The presence of those users who let the viewer see it."""

    async def count_unread(self, user_id: UUID, counter: str, change: int) -> int:
        """Adds to an unread counter and tells the user's devices; the new value."""

    async def set_unread(self, user_id: UUID, counter: str, value: int) -> int:
        """Sets an unread counter and tells the user's devices; the new value."""

    async def unread(self, user_id: UUID) -> dict[str, int]:
        """All unread counters above zero."""


def plain(value: object) -> str:
    """msgpack's fallback for what a Payload may hold beyond JSON. Raises TypeError for anything else."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be pushed")
