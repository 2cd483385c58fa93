"""The leader's lease and its writes: which hosts live, and the map from shards to hosts."""

from __future__ import annotations

from collections.abc import Sequence

from actors.runtime.store.connections import Connections
from actors.runtime.store.rows import LostLeadership, ShardRow


class MapTable(Connections):
    """The map and the leadership that orders its writes."""

    async def lead(self, holder: str, lease: float) -> int | None:
        """Takes or keeps the leader's lease: its term, or None while another holds it."""
        term: int | None = await self._pool.fetchval(
            "UPDATE shard_coordinator SET holder = $1,"
            " term = term + CASE WHEN holder = $1 THEN 0 ELSE 1 END,"
            " expires_at = clock_timestamp() + make_interval(secs => $2)"
            " WHERE holder = $1 OR expires_at < clock_timestamp() RETURNING term",
            holder,
            lease,
        )
        return term

    async def resign(self, holder: str) -> None:
        """Lets another candidate lead at once."""
        await self._pool.execute(
            "UPDATE shard_coordinator SET holder = '', expires_at = '-infinity' WHERE holder = $1", holder
        )

    async def expire_hosts(self, term: int) -> list[str]:
        """Declares dead every host whose lease ran out: their rows are gone, so they cannot come back."""
        rows = await self._pool.fetch(
            "DELETE FROM shard_hosts WHERE expires_at <= clock_timestamp()"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE term = $1) RETURNING host",
            term,
        )
        return [r["host"] for r in rows]

    async def deregister(self, term: int, host: str) -> bool:
        """The host left in good order, or is known to be gone: whether it was there and the leader may say so."""
        deregistered: str | None = await self._pool.fetchval(
            "DELETE FROM shard_hosts WHERE host = $2"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE term = $1) RETURNING host",
            term,
            host,
        )
        return deregistered is not None

    async def mark_draining(self, term: int, host: str, draining: bool) -> None:
        """Whether a host's shards are to be moved away. Says nothing for a leader whose term is over."""
        await self._pool.execute(
            "UPDATE shard_hosts SET draining = $3 WHERE host = $2"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE term = $1)",
            term,
            host,
            draining,
        )

    async def shard_map(self, since: int = 0) -> tuple[int, list[ShardRow]]:
        """(version, rows changed after version ``since``)."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            version: int = await connection.fetchval("SELECT map_version FROM shard_coordinator")
            rows = await connection.fetch(
                "SELECT kind, shard, host, epoch, moving_to FROM shards WHERE version > $1", since
            )
        return version, [ShardRow(r["kind"], r["shard"], r["host"], r["epoch"], r["moving_to"]) for r in rows]

    async def write_map(self, term: int, rows: Sequence[ShardRow]) -> int:
        """Stores changed rows as the next version of the map, which it returns; raises LostLeadership."""
        async with self._pool.acquire() as connection, connection.transaction():
            version: int | None = await connection.fetchval(
                "UPDATE shard_coordinator SET map_version = map_version + 1"
                " WHERE term = $1 AND expires_at > clock_timestamp() RETURNING map_version",
                term,
            )
            if version is None:
                raise LostLeadership(f"term {term} is over")
            await connection.execute(
                "INSERT INTO shards (kind, shard, host, epoch, moving_to, version)"
                " SELECT *, $6::bigint"
                " FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[], $5::text[])"
                " ON CONFLICT (kind, shard) DO UPDATE SET host = excluded.host, epoch = excluded.epoch,"
                " moving_to = excluded.moving_to, version = excluded.version",
                [r.kind for r in rows],
                [r.shard for r in rows],
                [r.host for r in rows],
                [r.epoch for r in rows],
                [r.moving_to for r in rows],
                version,
            )
        return version
