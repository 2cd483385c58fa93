"""The two stores of an operator: states, and the anchors that say which state is the newest.

An account's anchor row is locked while a step is taken, so steps of one account follow each other, also those of
several processes. The state is durable before its anchor moves, and both before anybody is answered. Whoever dies in
between has lost a guess.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import asyncpg

_STATES = "create table if not exists pin_states (account text primary key, sealed bytea not null)"
_ANCHORS = "create table if not exists pin_anchors (account text primary key, sequence bigint not null)"
_LOCK_TIMEOUT_MS = "10000"
_COMMAND_TIMEOUT_S = 15.0

STORE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@dataclass(slots=True)
class Anchor:
    """The number that an account's state must have reached. `sequence` is set to that of the next state."""

    sequence: int


class Stores:
    """Connections to both databases."""

    def __init__(self, states: asyncpg.Pool, anchors: asyncpg.Pool) -> None:
        self._states = states
        self._anchors = anchors

    @classmethod
    async def open(cls, states_url: str, anchors_url: str, pool_size: int) -> Self:
        """Connects, and makes the tables that are missing."""
        states = await _pool(states_url, pool_size, _STATES)
        try:
            return cls(states, await _pool(anchors_url, pool_size, _ANCHORS))
        except BaseException:
            await states.close()
            raise

    async def close(self) -> None:
        """Closes all connections."""
        await self._states.close()
        await self._anchors.close()

    @asynccontextmanager
    async def anchored(self, account: str) -> AsyncIterator[Anchor]:
        """Locks an account's anchor, 0 for a new account, and moves it at the end if the body has changed it. If the
        body raises, it stays."""
        async with self._anchors.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into pin_anchors (account, sequence) values ($1, 0) on conflict do nothing", account
            )
            before = await connection.fetchval(
                "select sequence from pin_anchors where account = $1 for update", account
            )
            anchor = Anchor(before)
            yield anchor
            if anchor.sequence != before:
                await connection.execute(
                    "update pin_anchors set sequence = $2 where account = $1 and sequence < $2",
                    account,
                    anchor.sequence,
                )

    async def state(self, account: str) -> bytes | None:
        """The sealed state of an account."""
        found: bytes | None = await self._states.fetchval("select sealed from pin_states where account = $1", account)
        return found

    async def write_state(self, account: str, sealed: bytes) -> None:
        """Makes a state durable."""
        await self._states.execute(
            "insert into pin_states (account, sealed) values ($1, $2)"
            " on conflict (account) do update set sealed = excluded.sealed",
            account,
            sealed,
        )

    async def delete_state(self, account: str) -> None:
        """Deletes a state. The anchor stays for good."""
        await self._states.execute("delete from pin_states where account = $1", account)

    async def answers(self) -> None:
        """Raises one of STORE_ERRORS if a store does not answer."""
        await self._states.fetchval("select 1")
        await self._anchors.fetchval("select 1")


async def _pool(url: str, size: int, table: str) -> asyncpg.Pool:
    settings = {"lock_timeout": _LOCK_TIMEOUT_MS, "synchronous_commit": "on"}
    pool = await asyncpg.create_pool(
        url, min_size=0, max_size=size, server_settings=settings, command_timeout=_COMMAND_TIMEOUT_S
    )
    try:
        await pool.execute(table)
    except BaseException:
        await pool.close()
        raise
    return pool
