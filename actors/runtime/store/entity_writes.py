"""Durable writes of entities' turns, which commit only while their host owns the entity's shard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from actors.runtime.store.connections import Connections
from actors.runtime.store.rows import AlreadyAnswered, Answer, Fence, StaleEpoch

if TYPE_CHECKING:
    import asyncpg

    from actors.runtime.store.connections import Connection


class Statements(Protocol):
    """What runs SQL inside a transaction: a connection, or a unit of work."""

    async def fetchrow(self, sql: str, /, *arguments: Any) -> asyncpg.Record | None: ...

    async def execute(self, sql: str, /, *arguments: Any) -> str: ...


FENCE_SETTINGS = """
set_config('idle_in_transaction_session_timeout', '1500ms', true),
set_config('statement_timeout', '5s', true),
set_config('lock_timeout', '2s', true)
"""
"""Bounds of a transaction that holds a fence, in milliseconds or seconds: a host that vanishes or hangs inside it must
not keep its shards' rows locked against their next owner."""

_FENCE = f"""
SELECT {FENCE_SETTINGS}
FROM shards WHERE kind = $1 AND shard = $2 AND host = $3 AND epoch = $4 FOR SHARE
"""


class EntityWrites(Connections):
    """Fenced transactions, the answers stored with them, and entities' snapshots."""

    @contextlib.asynccontextmanager
    async def fenced(self, fence: Fence, answers: Sequence[Answer] = ()) -> AsyncIterator[Connection]:
        """A transaction that commits only if ``fence`` still owns its shard; raises StaleEpoch otherwise, and
        AlreadyAnswered if one of ``answers`` is stored.

        The shard's row is share-locked until the commit, so a new owner's epoch is written either before
        (and this raises) or after (and the new owner sees this write). ``answers`` are stored with it.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, fence, answers)
            yield connection

    async def save_snapshot(
        self, fence: Fence, entity_id: str, version: int, body: bytes, answers: Sequence[Answer] = ()
    ) -> None:
        """Stores an entity's snapshot under the fence."""
        async with self.fenced(fence, answers) as connection:
            await write_snapshot(connection, fence.kind, entity_id, version, body)

    async def load_snapshot(self, kind: str, entity_id: str) -> tuple[int, bytes] | None:
        """(version, body) of the stored snapshot, if any."""
        row = await self._pool.fetchrow(
            "SELECT format, body FROM entity_snapshots WHERE kind = $1 AND entity = $2", kind, entity_id
        )
        return None if row is None else (row["format"], row["body"])

    async def answers(self, shards: Iterable[tuple[str, int]]) -> list[tuple[str, int, Answer]]:
        """The stored answers of these shards, as (kind, shard, answer)."""
        kinds, numbers = [], []
        for kind, shard in shards:
            kinds.append(kind)
            numbers.append(shard)
        rows = await self._pool.fetch(
            "SELECT kind, shard, caller, call, answer FROM shard_answers"
            " WHERE (kind, shard) IN (SELECT * FROM unnest($1::text[], $2::smallint[]))",
            kinds,
            numbers,
        )
        return [(r["kind"], r["shard"], Answer(r["caller"], r["call"], r["answer"])) for r in rows]

    async def forget_answers(self, older_than: float) -> None:
        """Drops answers that are ``older_than`` seconds old; no deadline is as long."""
        await self._pool.execute(
            "DELETE FROM shard_answers WHERE answered_at < clock_timestamp() - make_interval(secs => $1)",
            older_than,
        )


async def hold(transaction: Statements, fence: Fence, answers: Sequence[Answer] = ()) -> None:
    """`ShardStore.fenced` inside a transaction of the caller's (a unit of work), as one of its first statements."""
    if await transaction.fetchrow(_FENCE, fence.kind, fence.shard, fence.host, fence.epoch) is None:
        raise StaleEpoch(f"{fence.kind}/{fence.shard} is no longer {fence.host}'s at epoch {fence.epoch}")
    if answers:
        status = await transaction.execute(
            "INSERT INTO shard_answers (kind, shard, caller, call, answer)"
            " SELECT $1, $2, * FROM unnest($3::bytea[], $4::bigint[], $5::bytea[]) ON CONFLICT DO NOTHING",
            fence.kind,
            fence.shard,
            [a.caller for a in answers],
            [a.call for a in answers],
            [a.answer for a in answers],
        )
        if status != f"INSERT 0 {len(answers)}":
            raise AlreadyAnswered(f"{fence.kind}/{fence.shard}")


async def write_snapshot(connection: Connection, kind: str, entity_id: str, version: int, body: bytes) -> None:
    """Stores a snapshot inside a transaction of the caller, who holds the fence."""
    await connection.execute(
        "INSERT INTO entity_snapshots (kind, entity, format, body) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (kind, entity) DO UPDATE"
        " SET format = excluded.format, body = excluded.body, saved_at = clock_timestamp()",
        kind,
        entity_id,
        version,
        body,
    )
