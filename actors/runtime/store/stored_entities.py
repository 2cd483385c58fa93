"""What entities' turns stored (see `turn_writes`), as their hosts read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.runtime.store.connections import Connections
from actors.runtime.store.rows import Answer, AnswerRow, Snapshot

_READ_BYTES = 8 << 20
"""Bytes of snapshots that one statement reads, unless one alone has more."""
_SNAPSHOTS = """
WITH found AS (
  SELECT asked.entity, asked.number, format, body,
    sum(coalesce(octet_length(body), 0)) OVER (ORDER BY asked.number) AS bytes
  FROM unnest($2::text[]) WITH ORDINALITY AS asked (entity, number)
  LEFT JOIN entity_snapshots AS stored ON stored.kind = $1 AND stored.entity = asked.entity
)
SELECT entity, format, body FROM found WHERE number = 1 OR bytes <= $3
"""


class StoredEntities(Connections):
    """Stored answers and snapshots."""

    async def snapshots(self, kind: str, entities: Sequence[str]) -> dict[str, Snapshot | None]:
        """The stored snapshots or None, by entity. Those that would make it more than 8 MiB are left out, but never the
        first."""
        rows = await self._pool.fetch(_SNAPSHOTS, kind, entities, _READ_BYTES)
        return {row["entity"]: None if row["format"] is None else Snapshot(row["format"], row["body"]) for row in rows}

    async def answers(self, shards: Iterable[tuple[str, int]]) -> list[AnswerRow]:
        """The stored answers of these shards."""
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
        return [AnswerRow(r["kind"], r["shard"], Answer(r["caller"], r["call"], r["answer"])) for r in rows]

    async def forget_answers(self, older_than: float) -> None:
        """Drops answers that are ``older_than`` seconds old; no deadline is as long."""
        await self._pool.execute(
            "DELETE FROM shard_answers WHERE answered_at < clock_timestamp() - make_interval(secs => $1)",
            older_than,
        )

    async def forget_commits(self, older_than: float) -> None:
        """Drops the numbers of transactions that are ``older_than`` seconds old. Their hosts do not compare them any
        more, unless their leases are over for as long."""
        await self._pool.execute(
            "DELETE FROM turn_commits WHERE committed_at < clock_timestamp() - make_interval(secs => $1)", older_than
        )
