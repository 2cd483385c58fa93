"""Consumers' offsets in Postgres: per partition, the position up to which everything is finished or parked."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cluster.events.log import PARTITIONS, Partition
from cluster.postgres import Database, UnitOfWork

if TYPE_CHECKING:
    from cluster.events.consumer import Consumer

_NAME = "insert into event_consumers (consumer, active_at) values ($1, now()) on conflict (consumer) do update set"
_DECLARE = f"{_NAME} active_at = excluded.active_at"

_BEGIN = f"""
insert into event_offsets (consumer, topic, partition, position)
select $1, topic, number, case when $3 then (select position from event_log_head) else 0 end
from unnest($2::text[]) as topic, generate_series(0, {PARTITIONS - 1}) as number
on conflict do nothing
"""

_LOAD = "select topic, partition, position from event_offsets where consumer = $1 and partition = any($2)"

_ADVANCE = """
update event_offsets as stored set position = moved.upto
from unnest($2::text[], $3::smallint[], $4::bigint[], $5::bigint[]) as moved(topic, partition, begin, upto)
where stored.consumer = $1 and stored.topic = moved.topic and stored.partition = moved.partition
    and stored.position = moved.begin
"""

_RESET = """
update event_offsets set position = least(position, $4) where consumer = $1 and topic = $2 and partition = $3
"""


class OffsetMoved(Exception):
    """Another process has handled these events, or has sent the consumer back: this transaction may not stand."""


async def declare(database: Database, consumers: "Iterable[Consumer]") -> None:
    """Give new consumers their first offsets, in every partition of their topics; say that all of them exist."""
    async with database.unit_of_work() as uow:
        for consumer in consumers:
            await uow.execute(_DECLARE, consumer.name)
            await uow.execute(_BEGIN, consumer.name, sorted(consumer.topics), consumer.start == "new")
        await uow.commit()


async def load(database: Database, consumer: str, numbers: Iterable[int]) -> dict[Partition, int]:
    """The consumer's offsets in these partitions of its topics."""
    rows = await database.pool.fetch(_LOAD, consumer, list(numbers))
    return {Partition(row["topic"], row["partition"]): row["position"] for row in rows}


async def advance(uow: UnitOfWork, consumer: str, moves: Mapping[Partition, tuple[int, int]]) -> None:
    """Move offsets from where they are to where they shall be, as the last statement of a unit. Raises OffsetMoved when
    one is elsewhere. (A unit that has written nothing else may have moved the others: what it did for them stands.)"""
    columns = [(*partition, begin, upto) for partition, (begin, upto) in sorted(moves.items())]
    tag = await uow.execute_last(_ADVANCE, consumer, *map(list, zip(*columns, strict=True)))
    if tag != f"UPDATE {len(moves)}":
        raise OffsetMoved(consumer)


async def send_back(database: Database, consumer: str, positions: Mapping[Partition, int]) -> None:
    """Let a consumer handle everything after these positions again. All leases end with it, so that their holders read
    the offsets anew with their next heartbeat."""
    async with database.unit_of_work() as uow:
        for partition, position in sorted(positions.items()):
            await uow.execute(_RESET, consumer, *partition, position)
        await uow.execute("update event_partitions set reader = null")
        await uow.commit()
