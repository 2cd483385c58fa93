"""Whom the user has blocked, over HTTP."""

from urllib.parse import quote
from uuid import UUID

from client.api.connection import Connection
from client.api.pages import items_of, understood


class BlocksApi:
    """Requests of a session. Methods raise ApiError, NoResponse or SignedOut."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def block(self, username: str) -> None:
        """Blocks somebody; again without harm."""
        await self._connection.request("PUT", f"/blocks/{quote(username, safe='')}")

    async def unblock(self, username: str) -> None:
        """Removes a block; again without harm."""
        await self._connection.request("DELETE", f"/blocks/{quote(username, safe='')}")

    async def accounts(self) -> list[str]:
        """The accounts that are blocked."""
        items = await items_of(self._connection, "/blocks")
        with understood():
            return [UUID(item["person"]["id"]).hex for item in items]
