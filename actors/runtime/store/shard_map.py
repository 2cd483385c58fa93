"""The leader's lease and its writes: which hosts live, and the map from shards to hosts."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import asyncpg

from actors.runtime.shard_map import UNREAD, MapPosition
from actors.runtime.store.connections import Connections
from actors.runtime.store.hosts import HOST_COLUMNS, host_row
from actors.runtime.store.rows import Election, Leadership, LostLeadership, MapRead, MapWrite, Renewal, ShardRow

_GENERATIONS_KEPT = 1000
"""Terms whose generation is remembered. Who knows only an older one reads the whole map."""
_LOCK_WAIT = "100ms"
"""How long a write waits for a row that a transaction of its owner's has locked."""

_LEAD = f"""
WITH led AS (
    UPDATE shard_coordinator SET holder = $1, term = term + 1, generation = gen_random_uuid(), code_version = $3,
        expires_at = clock_timestamp() + make_interval(secs => $2)
    WHERE holder = $1 OR expires_at < clock_timestamp()
    RETURNING term, generation, map_version
), begun AS (
    INSERT INTO shard_generations (generation, term, from_version) SELECT generation, term, map_version FROM led
), forgotten AS (
    DELETE FROM shard_generations WHERE term <= (SELECT term FROM led) - {_GENERATIONS_KEPT}
)
SELECT led.term, coalesce(led.generation, c.generation) AS generation,
    coalesce(led.map_version, c.map_version) AS version,
    CASE WHEN isfinite(c.expires_at) THEN extract(epoch FROM c.expires_at - clock_timestamp())::float8 ELSE 0 END
        AS lease_left
FROM shard_coordinator AS c LEFT JOIN led ON true
"""

_RENEW = f"""
WITH renewed AS (
    UPDATE shard_coordinator SET expires_at = clock_timestamp() + make_interval(secs => $2)
    WHERE generation = $1
    -- A renewal that is lost is a late one; it need not wait for the disk.
    RETURNING map_version, target_version, set_config('synchronous_commit', 'off', true)
), expired AS (
    DELETE FROM shard_hosts WHERE expires_at <= clock_timestamp() AND EXISTS (SELECT FROM renewed) RETURNING host
)
SELECT map_version, target_version, {HOST_COLUMNS},
    extract(epoch FROM h.expires_at - clock_timestamp())::float8 AS seconds_left
FROM renewed LEFT JOIN shard_hosts AS h ON h.host NOT IN (SELECT host FROM expired)
"""

_READ = """
SELECT c.generation, c.map_version, known.continues, s.kind, s.shard, s.host, s.epoch, s.moving_to
FROM shard_coordinator AS c
CROSS JOIN LATERAL (SELECT $1::uuid IS NULL OR shard_map_continues($1, $2) AS continues) AS known
LEFT JOIN shards AS s ON s.version > CASE WHEN known.continues THEN $2 ELSE 0 END
"""

_STORED = (
    "SELECT kind, shard FROM shards JOIN unnest($1::text[], $2::smallint[]) AS k (kind, shard) USING (kind, shard)"
)
_LOCK = f"{_STORED} ORDER BY kind, shard FOR NO KEY UPDATE OF shards"


class MapTable(Connections):
    """The map and the leadership that orders its writes."""

    async def lead(self, holder: str, lease: float, code_version: str = "") -> Election:
        """Begins a term, if no other leader's lease runs.

        A holder that leads already begins a new term too: it does so when it does not know what became of its last
        write.
        """
        row = await self._pool.fetchrow(_LEAD, holder, lease, code_version)
        assert row is not None
        position = MapPosition(str(row["generation"]), row["version"])
        leadership = None if row["term"] is None else Leadership(row["term"], position)
        return Election(leadership, position, max(0.0, row["lease_left"]))

    async def renew(self, generation: str, lease: float) -> Renewal:
        """Renews the lease of a term and declares dead every host whose lease ran out: its row is gone, so it cannot
        come back. Raises LostLeadership.

        This is all that a leader asks while nothing happens, so it is one statement.
        """
        rows = await self._pool.fetch(_RENEW, generation, lease)
        if not rows:
            raise LostLeadership(f"generation {generation} is over")
        hosts = [row for row in rows if row["host"] is not None]
        next_expiry = min((row["seconds_left"] for row in hosts), default=math.inf)
        return Renewal(rows[0]["map_version"], [host_row(row) for row in hosts], next_expiry, rows[0]["target_version"])

    async def resign(self, holder: str) -> None:
        """Lets another candidate lead at once."""
        await self._pool.execute(
            "UPDATE shard_coordinator SET holder = '', expires_at = '-infinity' WHERE holder = $1", holder
        )

    async def deregister(self, generation: str, host: str) -> bool:
        """Removes a host that left in good order, or is known to be gone. False if it was gone already, or the leader
        is no longer one."""
        deregistered: str | None = await self._pool.fetchval(
            "DELETE FROM shard_hosts WHERE host = $2"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE generation = $1) RETURNING host",
            generation,
            host,
        )
        return deregistered is not None

    async def mark_draining(self, generation: str, host: str, draining: bool) -> None:
        """Whether a host's shards are to be moved away. Does nothing for a leader that is no longer one."""
        await self._pool.execute(
            "UPDATE shard_hosts SET draining = $3 WHERE host = $2"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE generation = $1)",
            generation,
            host,
            draining,
        )

    async def shard_map(self, known: MapPosition = UNREAD) -> MapRead:
        """What changed since the ``known`` position; the whole map if the stored one does not continue it."""
        rows = await self._pool.fetch(_READ, known.generation or None, known.version)
        head = rows[0]
        changed = [
            # Thousands of rows name a handful of hosts.
            ShardRow(sys.intern(r["kind"]), r["shard"], sys.intern(r["host"]), r["epoch"], sys.intern(r["moving_to"]))
            for r in rows
            if r["kind"] is not None
        ]
        return MapRead(MapPosition(str(head["generation"]), head["map_version"]), changed, head["continues"])

    async def write_map(self, leadership: Leadership, rows: Sequence[ShardRow]) -> MapWrite:
        """Stores changed rows as the next version (or two) of the map.

        Rows that stay locked by a turn's transaction are left out, so that one statement that hangs keeps no other
        shard from moving. Raises LostLeadership if the term is over or the stored map is not the one that ``rows``
        are based on.
        """
        write = await self._write(leadership, rows, wait=False)
        done = {(row.kind, row.shard) for row in write.written}
        locked = [row for row in rows if (row.kind, row.shard) not in done]
        if not locked:
            return write
        try:
            # Those of a busy shard are free again in a moment.
            rest = await self._write(Leadership(leadership.term, write.position), locked, wait=True)
        except asyncpg.LockNotAvailableError:
            return write
        return MapWrite(rest.position, [*write.written, *rest.written])

    async def _write(self, leadership: Leadership, rows: Sequence[ShardRow], *, wait: bool) -> MapWrite:
        keys = [row.kind for row in rows], [row.shard for row in rows]
        async with self._pool.acquire() as connection, connection.transaction():
            if wait:
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
            stored = {(r["kind"], r["shard"]) for r in await connection.fetch(_STORED, *keys)}
            lock = _LOCK if wait else f"{_LOCK} SKIP LOCKED"
            locked = {(r["kind"], r["shard"]) for r in await connection.fetch(lock, *keys)}
            free = [r for r in rows if (r.kind, r.shard) in locked or (r.kind, r.shard) not in stored]
            if not free:
                return MapWrite(leadership.position, [])
            # Last, so that nobody's lease waits while this waits for the rows.
            version: int | None = await connection.fetchval(
                "UPDATE shard_coordinator SET map_version = map_version + 1"
                " WHERE generation = $1 AND map_version = $2 AND expires_at > clock_timestamp() RETURNING map_version",
                *leadership.position,
            )
            if version is None:
                raise LostLeadership(f"term {leadership.term} is over, or the map is not at {leadership.position}")
            await connection.execute(
                "INSERT INTO shards (kind, shard, host, epoch, moving_to, version)"
                " SELECT *, $6::bigint"
                " FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[], $5::text[])"
                " ON CONFLICT (kind, shard) DO UPDATE SET host = excluded.host, epoch = excluded.epoch,"
                " moving_to = excluded.moving_to, version = excluded.version",
                [r.kind for r in free],
                [r.shard for r in free],
                [r.host for r in free],
                [r.epoch for r in free],
                [r.moving_to for r in free],
                version,
            )
        return MapWrite(MapPosition(leadership.position.generation, version), free)
