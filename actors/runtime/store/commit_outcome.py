"""What became of a transaction of turns whose connection was lost during its commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from actors.runtime.store.rows import DATABASE_ERRORS, Fence
from cluster.cancellation import raise_if_cancelled

if TYPE_CHECKING:
    from cluster.postgres import Database

_PAUSE_SECONDS = 0.25
"""Between attempts to find out."""

_WAIT_FOR_FENCES = """
SELECT FROM shards JOIN unnest($1::text[], $2::smallint[]) AS fence (kind, shard) USING (kind, shard)
ORDER BY kind, shard FOR NO KEY UPDATE OF shards
"""
# A statement of its own: it sees what was committed until the locks were free.
_IS_STORED = "SELECT EXISTS (SELECT FROM turn_commits WHERE series = $1 AND number >= $2)"

log = structlog.get_logger(__name__)


async def was_committed(database: Database, fences: Sequence[Fence], series: UUID, number: int) -> bool:
    """Waits until no transaction that held these fences is under way. Returns whether the one with this number of this
    series (`turn_commits`) was committed.

    The server may still be committing a transaction whose client is gone: an entity that was loaded before that ends
    would be older than what is stored. Without the database this waits for it, as nothing can be said about the turns;
    and for its synchronous standbys, so that what is acknowledged survives a failover.
    """
    while True:
        try:
            async with database.unit_of_work() as transaction:
                await transaction.execute(
                    _WAIT_FOR_FENCES, [fence.kind for fence in fences], [fence.shard for fence in fences]
                )
                stored: bool = await transaction.fetchval(_IS_STORED, series, number)
                # Row locks are written, so this waits for synchronous standbys, as the lost commit itself may have been
                # kept from doing: Postgres shows what it stored before a standby has it.
                await transaction.commit()
                return stored
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            # Until this succeeds the shards' entities can neither be loaded nor written safely.
            log.warning("commit.end_not_known", shards=len(fences), error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_PAUSE_SECONDS)
