"""A pool of connections to one brand's database whose statements have a limit that holds even without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar

import asyncpg

from cluster.postgres_pool import DEAD_CLIENT_SETTINGS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

Result = TypeVar("Result")


class Connections:
    """The pool. The tables' classes derive from it; `ShardStore` joins them."""

    def __init__(self, dsn: str, application: str, max_connections: int) -> None:
        self._dsn = dsn
        self._application = application
        self._max_connections = max_connections
        self._pool: asyncpg.Pool[asyncpg.Record]

    @classmethod
    async def open(cls, dsn: str, *, application: str, max_connections: int = 4) -> Self:
        """Opens a pool of at most ``max_connections`` connections that names itself ``application`` to Postgres."""
        store = cls(dsn, application, max_connections)
        store._pool = await store._new_pool(min_connections=1)
        return store

    async def _new_pool(self, min_connections: int) -> asyncpg.Pool[asyncpg.Record]:
        return await asyncpg.create_pool(
            self._dsn,
            min_size=min_connections,
            max_size=self._max_connections,
            command_timeout=10,
            server_settings={"application_name": self._application[:63], **DEAD_CLIENT_SETTINGS},
            reset=_keep_session,
        )

    async def with_timeout(self, seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of one of this store's methods, or TimeoutError once ``seconds`` are over.

        It is not enough to cancel a statement: asyncpg then asks the server to cancel it and waits for that, and a
        server that is out of reach lets it wait for 12 s. So all connections are cut, since those that are idle lead
        to the same server, and whoever uses one gets an error; what comes next finds new ones.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        pool = await self._new_pool(min_connections=0)
        cut, self._pool = self._pool, pool
        cut.terminate()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise TimeoutError(f"no answer from the database in {seconds} s")

    async def close(self) -> None:
        """Gives running statements five seconds, then cuts the connections."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def _keep_session(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Statements here change no settings beyond their transaction, so a connection that goes back to the pool needs no
    reset, which would be one more round trip per statement."""
