"""Consumers' offsets in Postgres: per partition, the position up to which everything is finished or parked."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from cluster.events.log import PARTITIONS, Partition
from cluster.postgres import Database, UnitOfWork

if TYPE_CHECKING:
    from cluster.events.consumer import Consumer

_DECLARE = """
insert into event_consumers (consumer, active_at) select name, now() from unnest($1::text[]) as name order by name
on conflict (consumer) do update set active_at = excluded.active_at
"""

_BEGIN = f"""
insert into event_offsets (consumer, topic, partition, position)
select consumer, topic, number, case when new then (select position from event_log_head) else 0 end
from unnest($1::text[], $2::text[], $3::boolean[]) as declared(consumer, topic, new),
    generate_series(0, {PARTITIONS - 1}) as number
order by consumer, topic, number
on conflict do nothing
"""

_LOAD = """
select consumer, topic, partition, position from event_offsets where consumer = any($1) and partition = any($2)
"""

_ADVANCE = """
update event_offsets as stored set position = moved.upto
from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[])
    as moved(consumer, topic, partition, begin, upto)
where stored.consumer = moved.consumer and stored.topic = moved.topic and stored.partition = moved.partition
    and stored.position = moved.begin
"""

_RESET = """
update event_offsets set position = least(position, $4) where consumer = $1 and topic = $2 and partition = $3
"""


class OffsetMoved(Exception):
    """Another process has handled these events, or has sent the consumer back: this transaction may not stand."""


async def declare(database: Database, consumers: "Collection[Consumer]") -> None:
    """Give new consumers their first offsets, in every partition of their topics; say that all of them exist."""
    declared = [(consumer, topic) for consumer in consumers for topic in sorted(consumer.topics)]
    async with database.unit_of_work() as uow:
        await uow.execute(_DECLARE, [consumer.name for consumer in consumers])
        await uow.execute(
            _BEGIN,
            [consumer.name for consumer, _ in declared],
            [topic for _, topic in declared],
            [consumer.start == "new" for consumer, _ in declared],
        )
        await uow.commit()


async def load(database: Database, consumers: Iterable[str], numbers: Iterable[int]) -> dict[str, dict[Partition, int]]:
    """Offsets in these partitions of the consumers' topics, by consumer."""
    found: dict[str, dict[Partition, int]] = {consumer: {} for consumer in consumers}
    for row in await database.pool.fetch(_LOAD, list(found), list(numbers)):
        found[row["consumer"]][Partition(row["topic"], row["partition"])] = row["position"]
    return found


async def advance(uow: UnitOfWork, moves: Mapping[str, Mapping[Partition, tuple[int, int]]]) -> None:
    """Move consumers' offsets from where they are to where they shall be, as the last statement of a unit. Raises
    OffsetMoved when one is elsewhere. (A unit that has written nothing else may have moved the others: what it did for
    them stands.)"""
    columns = sorted(
        (consumer, *partition, begin, upto)
        for consumer, moved in moves.items()
        for partition, (begin, upto) in moved.items()
    )
    tag = await uow.execute_last(_ADVANCE, *map(list, zip(*columns, strict=True)))
    if tag != f"UPDATE {len(columns)}":
        raise OffsetMoved


async def send_back(database: Database, consumer: str, positions: Mapping[Partition, int]) -> None:
    """Let a consumer handle everything after these positions again. All leases end with it, so that their holders read
    the offsets anew with their next heartbeat."""
    async with database.unit_of_work() as uow:
        for partition, position in sorted(positions.items()):
            await uow.execute(_RESET, consumer, *partition, position)
        await uow.execute("update event_partitions set reader = null")
        await uow.commit()
