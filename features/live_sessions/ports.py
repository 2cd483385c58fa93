"""The interface of live sessions for other features."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from features.live_sessions.machine import PresenceState
from features.ports import Port

Payload = Mapping[str, Any]
"""JSON values with string keys; UUIDs and datetimes are allowed and become text."""


class LiveSessions(Protocol):
    """Live sessions by user. Every method raises SessionsUnavailable (a features.errors.Unavailable) when the session
    cannot be reached."""

    async def push(self, user_id: UUID, kind: str, payload: Payload, *, key: str = "") -> None:
        """Sends an event to every device of a user; a device that is offline receives it when it resumes, or is told to
        read the state again if it comes back too late for that.

        On return the event survives the loss of any one process, unless Redis is down as well. A second push with the
        same `key` (an event id) is dropped, so callers may deliver at least once. Raises Invalid for a payload that is
        too large.
        """

    async def push_many(self, user_ids: Sequence[UUID], kind: str, payload: Payload, *, key: str = "") -> None:
        """Sends the same event to many users."""

    async def signal(self, user_id: UUID, kind: str, payload: Payload) -> None:
        """Sends a transient event (typing) to the user's open sockets. It is not stored."""

    async def revoke(self, user_id: UUID, device_id: UUID) -> None:
        """Closes the sockets of a sign-in session and refuses new ones."""

    async def devices(self, user_id: UUID) -> dict[UUID, int]:
        """Returns the number of open sockets per sign-in session."""

    async def presence_of(self, viewer_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, PresenceState]:
        """Returns the presence of those users whose presence the viewer may see."""

    async def count_unread(self, user_id: UUID, counter: str, change: int) -> int:
        """Adds to an unread counter and pushes the new value to the user's devices. Returns it."""

    async def set_unread(self, user_id: UUID, counter: str, value: int) -> int:
        """Sets an unread counter and pushes the new value to the user's devices. Returns it."""

    async def unread(self, user_id: UUID) -> dict[str, int]:
        """Returns all unread counters above zero."""


LIVE_SESSIONS: Port[LiveSessions] = Port("live sessions")


def plain(value: object) -> str:
    """Converts a UUID or datetime to text: the `default` argument of msgpack. Raises TypeError for anything else."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be pushed")
