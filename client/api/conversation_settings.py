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

    async def change(self, conversation_id: str, chosen: Chosen) -> None:
        """Chooses for one conversation."""
        muted_until = chosen.muted_until
        until = None if muted_until is None else datetime.fromtimestamp(muted_until / 1000, UTC).isoformat()
        body = {"muted_until": until, "archived": chosen.archived, "pinned": chosen.pinned}
        await self._connection.request("PATCH", f"/conversations/{UUID(conversation_id)}", body)

    async def all(self) -> dict[str, Chosen]:
        """What was chosen, by conversation."""
        items = await items_of(self._connection, "/conversations")
        with understood():
            return {UUID(item["id"]).hex: _chosen(item) for item in items}


def _chosen(item: Any) -> Chosen:
    until = item["muted_until"]
    return Chosen(None if until is None else milliseconds(until), bool(item["archived"]), bool(item["pinned"]))
