"""What the user has chosen about conversations with people, over HTTP."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from client.api.connection import Connection
from client.api.pages import items_of, understood
from client.api.times import milliseconds


@dataclass(frozen=True, slots=True)
class Chosen:
    """`muted_until`: in milliseconds since 1970."""

    muted_until: int | None
    archived: bool
    pinned: bool


class ConversationSettingsApi:
    """Requests of a session. Methods raise ApiError, NoResponse or SignedOut."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def mute(self, conversation_id: str, until: int | None) -> Chosen:
        """Mutes a conversation until a time, in milliseconds since 1970; None: not any more. Returns what is chosen
        then, as the others."""
        time = None if until is None else datetime.fromtimestamp(until / 1000, UTC).isoformat()
        return await self._change(conversation_id, {"muted_until": time})

    async def archive(self, conversation_id: str, archived: bool) -> Chosen:
        """Puts a conversation into the archive, or takes it out."""
        return await self._change(conversation_id, {"archived": archived})

    async def pin(self, conversation_id: str, pinned: bool) -> Chosen:
        """Pins a conversation, or not any more."""
        return await self._change(conversation_id, {"pinned": pinned})

    async def _change(self, conversation_id: str, changed: dict[str, Any]) -> Chosen:
        found = await self._connection.request("PATCH", f"/conversations/{UUID(conversation_id)}", changed)
        with understood():
            return _chosen(found)

    async def all(self) -> dict[str, Chosen]:
        """What was chosen, by conversation."""
        items = await items_of(self._connection, "/conversations")
        with understood():
            return {UUID(item["id"]).hex: _chosen(item) for item in items}


def _chosen(item: Any) -> Chosen:
    until = item["muted_until"]
    return Chosen(None if until is None else milliseconds(until), bool(item["archived"]), bool(item["pinned"]))
