"""Calls to live session entities through the runtime's router."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgpack
import structlog

from actors.runtime import CallError, Refused
from actors.runtime.transport.router import Router
from actors.sessions.effects import KIND_NAME
from actors.sessions.entity import confirmation_from_wire, presence_from_wire, replay_from_wire
from cluster.cancellation import raise_if_cancelled
from cluster.postgres import Database
from cluster.storage_errors import DATABASE_ERRORS
from features.live_sessions.errors import PushRefused
from features.live_sessions.machine import PresenceState
from features.live_sessions.ports import Payload, plain
from features.live_sessions.presence import PresenceAccess
from features.realtime.connection import Refusal
from features.realtime.errors import SessionsUnavailable
from features.realtime.events import Batch, Replay
from features.realtime.frames import Resume, Signal
from features.realtime.ports import SessionRefused

_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class SessionCalls:
    """Implements features.realtime.ports.SessionEntities (for realtime hosts) and
    features.live_sessions.ports.LiveSessions (for features)."""

    def __init__(self, router: Router, audience: PresenceAccess, *, timeout: float = _TIMEOUT_S) -> None:
        self._router = router
        self._audience = audience
        self._timeout = timeout

    async def _call(self, user: str, *message: Any) -> Any:
        try:
            return await self._router.call(KIND_NAME, user, list(message), self._timeout)
        except Refused as refused:
            if refused.code in Refusal.__members__:
                raise SessionRefused(Refusal[refused.code], refused.detail) from refused
            raise PushRefused(f"{refused.code}: {refused.detail}") from refused
        except CallError as fault:
            raise SessionsUnavailable(f"{type(fault).__name__}: {fault}") from fault

    # --- for realtime hosts ----------------------------------------------------------------------------------

    async def attach(self, user: str, connection: str, host: str, device: str, resume: Resume | None) -> Replay:
        """Registers a socket. Raises SessionRefused."""
        point = None if resume is None else [resume.stream, resume.seq]
        return replay_from_wire(await self._call(user, "attach", connection, host, device, point))

    async def confirm(self, user: str, connection: str, host: str, device: str) -> Batch:
        """Renews a socket's lease. Raises SessionRefused."""
        return confirmation_from_wire(await self._call(user, "confirm", connection, host, device))

    async def since(self, user: str, resume: Resume) -> Replay:
        """Returns the events after a resume point. Raises SessionRefused."""
        return replay_from_wire(await self._call(user, "since", resume.stream, resume.seq))

    async def detach(self, user: str, connections: Sequence[str]) -> None:
        """Deregisters sockets."""
        await self._call(user, "detach", list(connections))

    async def set_active(self, user: str, connection: str, active: bool) -> None:
        """Notes whether the client is in the foreground."""
        await self._call(user, "active", connection, active)

    async def watch(self, viewer: str, users: Sequence[str]) -> list[Signal]:
        """Watches those users whose presence the viewer may see. Returns their present state as signals."""
        viewer_id = UUID(viewer)
        visible = await self._visible(viewer_id, [UUID(user) for user in users], "watch", viewer)
        return [
            Signal(
                "presence",
                {"user": str(user), "presence": state.presence.value, "last_seen": int(state.last_seen)},
            )
            for user, state in visible.items()
        ]

    # --- for features ----------------------------------------------------------------------------------------

    async def push(self, user_id: UUID, kind: str, payload: Payload, *, key: str = "") -> None:
        """See LiveSessions.push."""
        await self._call(str(user_id), "push", kind, msgpack.packb(payload, default=plain), key)

    async def push_many(self, user_ids: Sequence[UUID], kind: str, payload: Payload, *, key: str = "") -> None:
        """See LiveSessions.push_many."""
        data = msgpack.packb(payload, default=plain)
        await asyncio.gather(*(self._call(str(user), "push", kind, data, key) for user in user_ids))

    async def signal(self, user_id: UUID, kind: str, payload: Payload) -> None:
        """See LiveSessions.signal."""
        data = msgpack.unpackb(msgpack.packb(payload, default=plain))
        await self._call(str(user_id), "signal", kind, data)

    async def revoke(self, user_id: UUID, device_id: UUID) -> None:
        """See LiveSessions.revoke."""
        await self._call(str(user_id), "revoke", str(device_id))

    async def devices(self, user_id: UUID) -> dict[UUID, int]:
        """See LiveSessions.devices."""
        counts = await self._call(str(user_id), "devices")
        return {UUID(device): count for device, count in counts.items()}

    async def presence_of(self, viewer_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, PresenceState]:
        """See LiveSessions.presence_of. Without the database nobody's presence is shown."""
        return await self._visible(viewer_id, user_ids, "presence")

    async def _visible(self, viewer_id: UUID, user_ids: Sequence[UUID], *message: Any) -> dict[UUID, PresenceState]:
        """Sends the message only to users whose presence the viewer may see, so that ids a client made up create no
        entities."""
        users = list(dict.fromkeys(user_ids))
        try:
            allowed = await self._audience.allowed([(user, viewer_id) for user in users])
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("presence hidden", error=str(error))
            return {}
        seen = [user for user in users if (user, viewer_id) in allowed]
        responses = await asyncio.gather(*(self._call(str(user), *message) for user in seen))
        return {user: presence_from_wire(response) for user, response in zip(seen, responses, strict=True)}

    async def count_unread(self, user_id: UUID, counter: str, change: int) -> int:
        """See LiveSessions.count_unread."""
        value: int = await self._call(str(user_id), "count_unread", counter, change)
        return value

    async def set_unread(self, user_id: UUID, counter: str, value: int) -> int:
        """See LiveSessions.set_unread."""
        now: int = await self._call(str(user_id), "set_unread", counter, value)
        return now

    async def unread(self, user_id: UUID) -> dict[str, int]:
        """See LiveSessions.unread."""
        counters: dict[str, int] = await self._call(str(user_id), "unread")
        return counters


def open_calls(router: Router, database: Database) -> SessionCalls:
    """Returns the live sessions of a process."""
    return SessionCalls(router, PresenceAccess(database))
