"""What a realtime host needs from the users' session entities."""

from collections.abc import Sequence
from typing import Protocol

from features.errors import Unavailable
from features.realtime.connection import Refusal
from features.realtime.events import Batch, Replay
from features.realtime.frames import Resume, Signal


class SessionRefused(Exception):
    """The session entity declined; `refusal` is what the client is told."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(refusal.name, detail)
        self.refusal = refusal
        self.detail = detail


class SessionsUnavailable(Unavailable):
    """The session entity could not be reached in time."""

    def __init__(self, detail: str) -> None:
        super().__init__("sessions_unavailable", detail)


class SessionEntities(Protocol):
    """Calls to session entities. `user`, `device`, `connection` and `host` are ids in text form.

    Every method raises SessionsUnavailable.
    """

    async def attach(self, user: str, connection: str, host: str, device: str, resume: Resume | None) -> Replay:
        """Registers a socket. Raises SessionRefused."""

    async def confirm(self, user: str, connection: str, host: str, device: str) -> Batch:
        """Renews a socket's lease; news of the newest event. Raises SessionRefused."""

    async def since(self, user: str, resume: Resume) -> Replay:
        """What follows a resume point. Raises SessionRefused."""

    async def detach(self, user: str, connections: Sequence[str]) -> None:
        """These sockets are gone."""

    async def set_active(self, user: str, connection: str, active: bool) -> None:
        """The client came to the foreground, or left it."""

    async def watch(self, viewer: str, users: Sequence[str]) -> list[Signal]:
        """The viewer hears of these users' presence for a while, as far as they let it; what it is now."""
