"""The interface of live sessions for realtime hosts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from features.realtime.connection import Refusal
from features.realtime.events import Batch, Replay
from features.realtime.frames import Resume, Signal


class SessionRefused(Exception):
    """The live session refused the socket. `refusal` is sent to the client."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(refusal.name, detail)
        self.refusal = refusal
        self.detail = detail


class SessionEntities(Protocol):
    """Calls to live sessions. `user`, `device`, `connection` and `host` are ids in text form.

    Every method raises features.realtime.errors.SessionsUnavailable.
    """

    async def attach(self, user: str, connection: str, host: str, device: str, resume: Resume | None) -> Replay:
        """Registers a socket. Raises SessionRefused."""

    async def confirm(self, user: str, connection: str, host: str, device: str) -> Batch:
        """Renews a socket's lease. Returns an empty batch that names the newest event. Raises SessionRefused."""

    async def since(self, user: str, resume: Resume) -> Replay:
        """Returns the events after a resume point. Raises SessionRefused."""

    async def detach(self, user: str, connections: Sequence[str]) -> None:
        """Deregisters sockets."""

    async def set_active(self, user: str, connection: str, active: bool) -> None:
        """Notes whether the client is in the foreground."""

    async def watch(self, viewer: str, users: Sequence[str]) -> list[Signal]:
        """Watches those users whose presence the viewer may see. Returns their present state as signals."""


class Requests(Protocol):
    """What clients can ask for over their sockets."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the requests."""

    async def perform(self, user: str, device: str, what: str, data: Mapping[str, Any], /) -> Any:
        """Does what a client asks for; `user` and `device` as above. Returns the response's data. Raises
        DomainError."""
