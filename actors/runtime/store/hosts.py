"""The table of living host incarnations: each keeps its row alive by its heartbeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from actors.runtime.store.connections import Connections
from actors.runtime.store.rows import HostRow

if TYPE_CHECKING:
    import asyncpg

_HOST_COLUMNS = "host, name, node, address, socket, draining, load"


class HostTable(Connections):
    """What hosts write of themselves, and who reads it."""

    async def register(self, host: HostRow, lease: float) -> None:
        """A new host incarnation announces itself for ``lease`` seconds."""
        await self._pool.execute(
            "INSERT INTO shard_hosts (host, name, node, address, socket, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))"
            # An attempt that was given up may have got through.
            " ON CONFLICT (host) DO NOTHING",
            host.host,
            host.name,
            host.node,
            host.address,
            host.socket,
            lease,
        )

    async def heartbeat(self, host: str, lease: float, load: Mapping[str, Any]) -> int | None:
        """Prolongs the lease; the map's version, or None if this incarnation was declared dead."""
        async with self._pool.acquire() as connection, connection.transaction():
            # A lost heartbeat is a late one; it need not wait for the disk.
            await connection.execute("SET LOCAL synchronous_commit = off")
            version: int | None = await connection.fetchval(
                "UPDATE shard_hosts SET expires_at = clock_timestamp() + make_interval(secs => $2), load = $3"
                " WHERE host = $1 RETURNING (SELECT map_version FROM shard_coordinator)",
                host,
                lease,
                json.dumps(load),
            )
        return version

    async def hosts(self) -> list[HostRow]:
        """The hosts that nobody declared dead."""
        rows = await self._pool.fetch(f"SELECT {_HOST_COLUMNS} FROM shard_hosts")
        return [_host(r) for r in rows]


def _host(row: asyncpg.Record) -> HostRow:
    return HostRow(
        row["host"],
        row["name"],
        row["node"],
        row["address"],
        row["socket"],
        row["draining"],
        json.loads(row["load"]),
    )
