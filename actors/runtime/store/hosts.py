"""The table of living host incarnations: each keeps its row alive by its heartbeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from actors.runtime.shard_map import UNREAD, MapPosition
from actors.runtime.store.connections import Connections
from actors.runtime.store.history import Known
from actors.runtime.store.rows import Heartbeat, HostRow

if TYPE_CHECKING:
    import asyncpg

_HEARTBEAT = """
UPDATE shard_hosts
SET expires_at = clock_timestamp() + make_interval(secs => $2), load = $3,
    -- What shows that the database went back stays, until the host has heard of it.
    beat_at = CASE WHEN beat_at >= $7 AND turn_commits_are_stored($8, $9) THEN $6 ELSE beat_at END
FROM shard_coordinator AS c
WHERE host = $1
RETURNING c.generation, c.map_version,
    ($4::uuid IS NULL OR c.generation = $4 AND c.map_version >= $5 OR shard_map_continues($4, $5))
    AND beat_at = $6 AS continues,
    -- A heartbeat that is lost is a late one; it need not wait for the disk.
    set_config('synchronous_commit', 'off', true)
"""
HOST_COLUMNS = "host, name, node, address, socket, draining, load, code_version"


class HostTable(Connections):
    """What hosts write of themselves, and who reads it."""

    async def register(self, host: HostRow, lease: float) -> None:
        """A new host incarnation announces itself for ``lease`` seconds."""
        await self._pool.execute(
            "INSERT INTO shard_hosts (host, name, node, address, socket, code_version, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))"
            # An attempt that was given up may have got through.
            " ON CONFLICT (host) DO NOTHING",
            host.host,
            host.name,
            host.node,
            host.address,
            host.socket,
            host.code_version,
            lease,
        )

    async def heartbeat(
        self,
        host: str,
        lease: float,
        load: Mapping[str, Any],
        position: MapPosition = UNREAD,
        *,
        at: float = 0.0,
        known: Known = Known(),  # noqa: B008 - immutable
    ) -> Heartbeat | None:
        """Renews the lease ``at`` a time by the host's clock, and compares the database with what the host knows: the
        map's ``position`` and its own writes. None if this incarnation was declared dead."""
        row = await self._pool.fetchrow(
            _HEARTBEAT,
            host,
            lease,
            json.dumps(load),
            position.generation or None,
            position.version,
            at,
            known.beat_at,
            list(known.commits),
            list(known.commits.values()),
        )
        if row is None:
            return None
        return Heartbeat(MapPosition(str(row["generation"]), row["map_version"]), row["continues"])

    async def hosts(self) -> list[HostRow]:
        """The hosts that nobody declared dead."""
        rows = await self._pool.fetch(f"SELECT {HOST_COLUMNS} FROM shard_hosts")
        return [host_row(r) for r in rows]


def host_row(row: asyncpg.Record) -> HostRow:
    """The host in a record with HOST_COLUMNS."""
    return HostRow(
        row["host"],
        row["name"],
        row["node"],
        row["address"],
        row["socket"],
        row["draining"],
        json.loads(row["load"]),
        row["code_version"],
    )
