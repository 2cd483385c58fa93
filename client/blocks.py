"""Whom the user has blocked: the server keeps both apart, and what they say in groups is not shown here."""

from collections.abc import Callable

from client.api.blocks import BlocksApi
from client.refreshed import Refreshed
from client.storage import Database


class Blocks(Refreshed):
    """Methods raise ApiError, NoResponse and SignedOut."""

    def __init__(self, database: Database, api: BlocksApi, changed: Callable[[], None]) -> None:
        """`changed`: is told when the blocks were refreshed."""
        super().__init__(changed)
        self._database = database
        self._api = api

    async def block(self, username: str) -> None:
        """Blocks somebody."""
        async with self._one_at_a_time:
            await self._api.block(username)
            await self._refresh()

    async def unblock(self, username: str) -> None:
        """Removes a block: what was said meanwhile in groups is shown."""
        async with self._one_at_a_time:
            await self._api.unblock(username)
            await self._refresh()

    async def _refresh(self) -> None:
        accounts = await self._api.accounts()
        with self._database.transaction():
            self._database.execute("delete from blocked")
            for account_id in accounts:
                self._database.execute("insert or ignore into blocked (account_id) values (?)", account_id)
