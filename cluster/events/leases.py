"""Which process reads which partitions: leases in Postgres, kept by a heartbeat per process, shared out evenly.

A lease saves work; it does not fence. What makes effects happen once is that a transaction moves its consumer's offsets
from where its events began, or fails (cluster/events/offsets.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.postgres import Database

BEAT_S = 2.0
_LEASE = "interval '10 seconds'"
"""A process that has not sent a heartbeat for this long has lost its partitions."""

_BEAT = f"""
with beat as (
    insert into event_readers (reader, seen_at) values ($1, now())
    on conflict (reader) do update set seen_at = excluded.seen_at
), alive as (
    select reader from event_readers where seen_at > now() - {_LEASE} union select $1
)
select partition, case when reader in (select reader from alive) then reader end as reader,
    (select count(*) from alive) as readers
from event_partitions
"""

_CLAIM = f"""
update event_partitions set reader = $1
where partition = any($2) and (
    reader is null or not exists (
        select from event_readers where event_readers.reader = event_partitions.reader and seen_at > now() - {_LEASE}
    )
)
returning partition
"""

_RELEASE = "update event_partitions set reader = null where reader = $1 and partition = any($2)"

_LEAVE = """
with gone as (delete from event_readers where reader = $1 or seen_at < now() - interval '1 hour')
update event_partitions set reader = null where reader = $1
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process does to come to its share."""

    claim: frozenset[int]
    release: frozenset[int]


def plan(owners: Mapping[int, str | None], reader: str, readers: int) -> Plan:
    """Decide, from the live owner of each partition and the number of live readers, which free partitions to claim and
    which of one's own to release. Shares differ by one at most, so that nothing moves to and fro."""
    mine = sorted(number for number, owner in owners.items() if owner == reader)
    free = sorted(number for number, owner in owners.items() if owner is None)
    share = -(-len(owners) // readers)
    return Plan(frozenset(free[: max(0, share - len(mine))]), frozenset(mine[share:]))


class Leases:
    """The partitions of one process. Everything raises DATABASE_ERRORS."""

    def __init__(self, database: Database, reader: str) -> None:
        self._database = database
        self._reader = reader
        self.claimed: frozenset[int] = frozenset()
        """By the last heartbeat. One that was held before is claimed again after `offsets.send_back`."""

    async def beat(self) -> frozenset[int]:
        """Renew, and come nearer to a fair share; the partitions held from now on."""
        pool = self._database.pool
        rows = await pool.fetch(_BEAT, self._reader)
        owners = {row["partition"]: row["reader"] for row in rows}
        decided = plan(owners, self._reader, rows[0]["readers"])
        held = {number for number, owner in owners.items() if owner == self._reader} - decided.release
        if decided.release:
            await pool.execute(_RELEASE, self._reader, list(decided.release))
        self.claimed = frozenset()
        if decided.claim:
            claimed = await pool.fetch(_CLAIM, self._reader, list(decided.claim))
            self.claimed = frozenset(row["partition"] for row in claimed)
        return frozenset(held | self.claimed)

    async def leave(self) -> None:
        """Give everything back, so that others need not wait for the lease to end."""
        await self._database.pool.execute(_LEAVE, self._reader)
