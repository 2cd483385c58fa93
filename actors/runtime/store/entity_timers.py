"""The table of entities' durable timers. It is written in the transactions of turns (see `turn_writes`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from actors.runtime.store.connections import Connections
from actors.runtime.store.rows import TimerRow

if TYPE_CHECKING:
    from cluster.postgres import UnitOfWork

Key = tuple[str, int, str, str]
"""(kind, shard, entity, name)"""

_DUE = """
SELECT kind, shard, entity, name, due_at, message FROM entity_timers
JOIN unnest($1::text[], $2::smallint[]) AS owned (kind, shard) USING (kind, shard)
WHERE due_at <= $3
"""
# The whole row is compared: a timer that was set anew since is another one.
_DELETE_FIRED = """
DELETE FROM entity_timers AS t
USING unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::double precision[], $6::bytea[])
    AS fired (kind, shard, entity, name, due_at, message)
WHERE (t.kind, t.shard, t.entity, t.name) = (fired.kind, fired.shard, fired.entity, fired.name)
    AND t.due_at = fired.due_at AND t.message = fired.message
RETURNING t.kind, t.shard, t.entity, t.name
"""
_CANCEL = """
DELETE FROM entity_timers AS t
USING unnest($1::text[], $2::smallint[], $3::text[], $4::text[]) AS cancelled (kind, shard, entity, name)
WHERE (t.kind, t.shard, t.entity, t.name) = (cancelled.kind, cancelled.shard, cancelled.entity, cancelled.name)
"""
_SET = """
INSERT INTO entity_timers (kind, shard, entity, name, due_at, message)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::double precision[], $6::bytea[])
ON CONFLICT (kind, shard, entity, name) DO UPDATE SET due_at = excluded.due_at, message = excluded.message
"""


class TimerTable(Connections):
    """Timers, as hosts read them."""

    async def timers(self, shards: Iterable[tuple[str, int]], until: float) -> list[TimerRow]:
        """The timers of these shards, as (kind, shard), that are due by ``until``, seconds since 1970."""
        owned = list(shards)
        kinds, numbers = [kind for kind, _ in owned], [number for _, number in owned]
        rows = await self._pool.fetch(_DUE, kinds, numbers, until)
        return [TimerRow(r["kind"], r["shard"], r["entity"], r["name"], r["due_at"], r["message"]) for r in rows]


async def delete_fired(transaction: UnitOfWork, rows: Sequence[TimerRow]) -> set[Key]:
    """Deletes timers whose messages were received. Returns the keys of those that were there, exactly as given."""
    return {tuple(row) for row in await transaction.fetch(_DELETE_FIRED, *_columns(rows))}


async def set_timers(transaction: UnitOfWork, rows: Sequence[TimerRow]) -> None:
    """Stores timers, each instead of the one of its key."""
    await transaction.execute(_SET, *_columns(rows))


async def cancel_timers(transaction: UnitOfWork, keys: Sequence[Key]) -> None:
    """Deletes the timers of these keys, where there are any."""
    await transaction.execute(_CANCEL, *([key[column] for key in keys] for column in range(4)))


def _columns(rows: Sequence[TimerRow]) -> tuple[list[str], list[int], list[str], list[str], list[float], list[bytes]]:
    return (
        [row.kind for row in rows],
        [row.shard for row in rows],
        [row.entity_id for row in rows],
        [row.name for row in rows],
        [row.due for row in rows],
        [row.message for row in rows],
    )
