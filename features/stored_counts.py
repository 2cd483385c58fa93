"""Counts that are stored beside the rows that they count, compared with these, and corrected.

Whoever adds or removes such a row adds to its counts in the same transaction. So what one statement reads of both fits
together at any moment, without a lock, whatever is being written: a difference is an error, and stays the same while
others write. It is corrected by adding it, as everybody adds to counts: nothing that is written meanwhile is lost.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cluster.postgres import Database, UnitOfWork

CORRECTIONS = -1
"""The shard of counts to which corrections are added: in its row they wait for nobody, and nobody for them."""

Corrected = Callable[[UnitOfWork, Sequence[UUID], datetime], None]
"""Publishes that counts were corrected, in the transaction that did it: for those who have copies."""


@dataclass(frozen=True)
class StoredCounts:
    """The counts of one kind of things (posts, accounts).

    `next` is a statement of up to $2 ids of them after the id $1, in order. `wrong` is one of those counts of the
    things $1 (an array) that differ from their rows, as (id, name, stored, counted), the last two as texts. `correct`
    adds the differences and returns the same."""

    name: str
    next: str
    wrong: str
    correct: str
    corrected: Corrected | None = None


@dataclass(frozen=True, slots=True)
class WrongCount:
    """A count that differs from the rows that it counts."""

    id: UUID
    name: str
    stored: str
    counted: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What was compared together: how many things, the last one (None: there are no more), and what is wrong."""

    compared: int
    last: UUID | None
    wrong: list[WrongCount]


_FIRST = UUID(int=0)
_LOCK = "select pg_advisory_xact_lock(hashtextextended('stored_counts:' || $1, 0))"


async def compare(uow: UnitOfWork, counts: StoredCounts, after: UUID | None, limit: int) -> Batch:
    """Compares the counts of up to `limit` things. Two statements, which lock nothing."""
    ids = [row["id"] for row in await uow.read(counts.next, after or _FIRST, limit)]
    wrong = [WrongCount(**row) for row in await uow.read(counts.wrong, ids)] if ids else []
    return Batch(len(ids), ids[-1] if len(ids) == limit else None, wrong)


async def correct(uow: UnitOfWork, counts: StoredCounts, ids: Sequence[UUID], now: datetime) -> list[WrongCount]:
    """Corrects the counts of things, and returns those that were wrong. Corrections wait for each other until they are
    committed: two that see the same difference would both add it."""
    await uow.execute(_LOCK, counts.name)
    corrected = [WrongCount(**row) for row in await uow.fetch(counts.correct, list(ids))]
    if corrected and counts.corrected is not None:
        counts.corrected(uow, sorted({count.id for count in corrected}), now)
    return corrected


async def batches(
    database: Database, counts: StoredCounts, now: Callable[[], datetime] | None = None, *, limit: int = 200
) -> AsyncIterator[Batch]:
    """Compares all counts, up to `limit` things at once. With a clock, corrects what is wrong: each batch then has what
    was."""
    after: UUID | None = None
    while True:
        async with database.unit_of_work(read_only=True) as uow:
            batch = await compare(uow, counts, after, limit)
        if batch.wrong and now is not None:
            async with database.unit_of_work() as uow:
                corrected = await correct(uow, counts, sorted({count.id for count in batch.wrong}), now())
                await uow.commit()
            batch = replace(batch, wrong=corrected)
        yield batch
        if batch.last is None:
            return
        after = batch.last
