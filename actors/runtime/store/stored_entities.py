"""What entities' turns stored (see `turn_writes`), as their hosts read it."""

from __future__ import annotations

from collections.abc import Iterable

from actors.runtime.store.connections import Connections
from actors.runtime.store.rows import Answer


class StoredEntities(Connections):
    """Stored answers and snapshots."""

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
