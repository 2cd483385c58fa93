"""Connections to Postgres: the pool of a brand in one process, and the probe that asks if the database responds."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from asyncpg import Record

if TYPE_CHECKING:
    Pool = asyncpg.Pool[Record]
    Connection = asyncpg.Connection[Record]

_PING_TIMEOUT_S = 2.0

DEAD_CLIENT_SETTINGS = {
    "client_connection_check_interval": "500ms",
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "1900",
}
"""Settings of a connection by which Postgres notices within two seconds that its client is gone, and ends the statement
that runs for it: its locks would otherwise outlive the client for as long as the statement takes, or for ever. Somebody
may wait for them: who repeats a request with the same Idempotency-Key after its node was lost. The kernel looks once a
second, so it takes the second look."""


async def open_pool(dsn: str, size: int, settings: Mapping[str, str], command_timeout_s: float | None) -> "Pool":
    """Connects a pool. Columns of type json and jsonb are decoded with orjson; parameters are passed as JSON text.
    `settings` are Postgres settings of the sessions, beside the usual ones. Statements end after `command_timeout_s`;
    None: they have no limit."""
    return await asyncpg.create_pool(
        dsn,
        min_size=min(2, size),
        max_size=size,
        init=_prepare,
        reset=_keep_session,
        record_class=Record,
        command_timeout=command_timeout_s,
        server_settings={
            "application_name": "entativa",
            "jit": "off",
            # Each statement is planned once a connection: docs/decisions/generic-plans.md.
            "plan_cache_mode": "force_generic_plan",
            "timezone": "UTC",
            **DEAD_CLIENT_SETTINGS,
            **settings,
        },
    )


async def _prepare(connection: "Connection") -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=_json_text, decoder=orjson.loads, schema="pg_catalog", format="text"
        )


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def _keep_session(connection: "Connection") -> None:
    """Nothing here changes session state, so a returned connection needs no RESET (one round trip saved)."""


class Probe:
    """A connection of its own that asks whether the database responds."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def ping(self) -> None:
        """Raises unless the database responds."""
        async with self._turn:
            try:
                if self._connection is None:
                    self._connection = await asyncpg.connect(self._dsn, timeout=_PING_TIMEOUT_S)
                await self._connection.fetchval("select 1", timeout=_PING_TIMEOUT_S)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Closes the connection at once."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
