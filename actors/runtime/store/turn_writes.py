"""Stores what many turns write in one transaction, which commits only for shards that their host still owns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from actors.runtime.clock import SYSTEM_CLOCK, Clock
from actors.runtime.store.commit_outcome import was_committed
from actors.runtime.store.entity_timers import cancel_timers, delete_fired, set_timers
from actors.runtime.store.history import History, Known, Series
from actors.runtime.store.kind_writes import WriteEffects, write_effects
from actors.runtime.store.rows import AlreadyAnswered, AlreadyFired, Answer, Fence, Snapshot, StaleEpoch, TimerRow
from actors.runtime.store.transaction_errors import TransactionLost, WriteFailed, is_connection_error
from cluster.postgres import open_database

if TYPE_CHECKING:
    from cluster.postgres import Database, UnitOfWork

TRANSACTION_SETTINGS = {
    "application_name": "entativa-turns",
    # A host that vanishes inside a transaction must not keep its shards' rows locked against their next owner, and one
    # statement that hangs must not keep the turns beside it.
    "idle_in_transaction_session_timeout": "1500",
    "statement_timeout": "3000",
    "lock_timeout": "1500",
}
"""Settings of the connections that turns are committed on; times in milliseconds."""
_BRIEFLY = "SET LOCAL lock_timeout = 150; SET LOCAL statement_timeout = 500"
_ATTEMPTS = 3
"""Transactions that are begun for turns whose connection is lost each time."""
_PAUSE_SECONDS = 0.1
"""Between them."""

# Where the database lacks a transaction or a heartbeat that the host knows to be stored, no fence holds: what the turns
# began with was lost with it.
_LOCK_FENCES = """
WITH numbered AS (
    INSERT INTO turn_commits (series, number) VALUES ($5, $6)
    ON CONFLICT (series) DO UPDATE SET number = excluded.number, committed_at = excluded.committed_at
)
SELECT kind, shard, host, epoch FROM shards
JOIN unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[]) AS fence (kind, shard, host, epoch)
USING (kind, shard, host, epoch)
WHERE turn_commits_are_stored($7, $8)
    AND ($9 = '-infinity'::float8 OR EXISTS (SELECT FROM shard_hosts WHERE host = shards.host AND beat_at >= $9))
ORDER BY kind, shard FOR SHARE OF shards
"""
_INSERT_ANSWERS = """
INSERT INTO shard_answers (kind, shard, caller, call, answer)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::bytea[], $4::bigint[], $5::bytea[])
ON CONFLICT DO NOTHING
"""
_FIND_ANSWERS = """
SELECT kind, shard, caller, call FROM shard_answers
JOIN unnest($1::text[], $2::smallint[], $3::bytea[], $4::bigint[]) AS asked (kind, shard, caller, call)
USING (kind, shard, caller, call)
"""
_UPSERT_SNAPSHOTS = """
INSERT INTO entity_snapshots (kind, entity, format, body)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bytea[])
ON CONFLICT (kind, entity) DO UPDATE
SET format = excluded.format, body = excluded.body, saved_at = clock_timestamp()
"""


log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class TurnWrite:
    """What one turn stores."""

    fence: Fence
    entity_id: str
    answers: Sequence[Answer]
    """Of the calls of the turn: a call that is sent again after a crash finds its answer."""
    snapshot: Snapshot | None = None
    """The entity after the turn, if it is to be stored."""
    turn: Any = None
    """What ``write`` is given for this turn."""
    write: WriteEffects | None = None
    """Stores the turn's own effects; the same for all turns of a kind."""
    fired: Sequence[TimerRow] = ()
    """The timers whose messages the turn received."""
    timers: Mapping[str, TimerRow | None] = field(default_factory=dict)
    """What the turn makes of the entity's timers, by name; None: cancelled."""


class _AnsweredBefore(Exception):
    """Some answers are stored already; the transaction is rolled back."""


class _FiredBefore(Exception):
    """Some timers are not there any more; the transaction is rolled back."""

    def __init__(self, writes: Sequence[TurnWrite]) -> None:
        super().__init__()
        self.writes = writes


class TurnWrites:
    """Commits turns. Owns its connections: turns do not wait behind what kinds read."""

    def __init__(self, database: Database, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = database
        self._clock = clock
        self.history = History()
        """What was committed here, and the process's heartbeats. Once the database lacks some of it, all turns are
        refused with StaleEpoch until it is forgotten."""

    @classmethod
    async def open(cls, dsn: str, *, transactions: int = 2) -> TurnWrites:
        """Connects for at most so many ``transactions`` at a time."""
        return cls(await open_database(dsn, pool_size=transactions, settings=TRANSACTION_SETTINGS))

    async def close(self) -> None:
        """Closes the connections."""
        await self._database.close()

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        """Commits the writes of different entities together. Returns those that were left out, each with its error:
        StaleEpoch if its shard has another owner now, AlreadyAnswered if one of its calls ran before, AlreadyFired if
        one of its timers did.

        ``briefly``: with a tenth of the usual time for locks, and a sixth for statements.

        Turns whose connection is lost are committed on another one, unless they turn out to be committed. Raises what
        the database or a kind's ``write`` raised, for connections that are lost each time a connection error
        (transaction_errors.py); then nothing is stored.
        """
        refused: dict[TurnWrite, Exception] = {}
        attempts = 0
        while writes:
            try:
                await self._transaction(writes, refused, briefly=briefly)
            except _AnsweredBefore:
                before = await self._answered_before(writes)
                if not before:
                    raise  # two of these writes have the same call
                refused |= before
            except _FiredBefore as fired:
                refused |= {write: AlreadyFired(f"{write.fence.kind}/{write.entity_id}") for write in fired.writes}
            except TransactionLost as lost:
                attempts += 1
                # A kind's write that always takes too long is for the caller to find among several.
                if lost.by_write and (attempts == _ATTEMPTS or len(writes) > 1):
                    raise lost.cause from None
                if attempts == _ATTEMPTS:
                    # asyncpg's own exceptions look like a statement's, for which turns are tried by halves.
                    raise lost.cause if is_connection_error(lost.cause) else ConnectionError(str(lost)) from None
                log.warning("transaction.lost", turns=len(writes), error=f"{type(lost.cause).__name__}: {lost.cause}")
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                break
            writes = [write for write in writes if write not in refused]
        return refused

    async def _transaction(
        self, writes: Sequence[TurnWrite], refused: dict[TurnWrite, Exception], *, briefly: bool
    ) -> None:
        """Raises TransactionLost if nothing is stored since the connection was lost."""
        fences = list({write.fence for write in writes})
        committing, lost = False, None
        series = self.history.begin()
        number = series.number + 1
        try:
            async with self._database.unit_of_work() as transaction:
                try:
                    if briefly:
                        await transaction.execute(_BRIEFLY)
                    held = await _lock_fences(transaction, fences, series, self.history.known())
                    refused |= {w: StaleEpoch(f"{w.fence} is over") for w in writes if w.fence not in held}
                    going = [write for write in writes if write.fence in held]
                    await _insert_answers(transaction, going)
                    await _write_timers(transaction, going)
                    await _upsert_snapshots(transaction, going)
                    await write_effects(transaction, _by_kind(going), briefly=briefly)
                    if going:
                        committing = True
                        await transaction.commit()
                        self.history.committed(series, self._clock.monotonic())
                finally:
                    lost = transaction.connection_lost
        except Exception as error:
            # One that could not be opened is no lost one: the database is away.
            lost = lost or (lost is not None and is_connection_error(error))
            if committing and (lost or not isinstance(error, asyncpg.PostgresError)):
                if not await was_committed(self._database, fences, series.id, number):
                    raise TransactionLost(error) from error
                self.history.committed(series, self._clock.monotonic())
                log.warning("commit.found", turns=len(writes), error=f"{type(error).__name__}: {error}")
                return
            if lost or is_connection_error(error):
                self.history.lost(series)
            if lost:
                raise TransactionLost(error, by_write=isinstance(error, WriteFailed)) from error
            raise
        finally:
            self.history.rolled_back(series)

    async def _answered_before(self, writes: Sequence[TurnWrite]) -> dict[TurnWrite, Exception]:
        answers = [(write.fence.kind, write.fence.shard, a.caller, a.call) for write in writes for a in write.answers]
        async with self._database.unit_of_work(read_only=True) as unit:
            stored = {tuple(row) for row in await unit.fetch(_FIND_ANSWERS, *_columns(answers, 4))}
        return {
            write: AlreadyAnswered(f"{write.fence.kind}/{write.fence.shard}")
            for write in writes
            if any((write.fence.kind, write.fence.shard, a.caller, a.call) in stored for a in write.answers)
        }


async def _lock_fences(transaction: UnitOfWork, fences: Sequence[Fence], series: Series, known: Known) -> set[Fence]:
    """Those of the fences that hold, and will until the transaction ends, which has the next number of the series."""
    rows = await transaction.fetch(
        _LOCK_FENCES,
        [fence.kind for fence in fences],
        [fence.shard for fence in fences],
        [fence.host for fence in fences],
        [fence.epoch for fence in fences],
        series.id,
        series.number + 1,
        list(known.commits),
        list(known.commits.values()),
        known.beat_at,
    )
    return {Fence(row["kind"], row["shard"], row["host"], row["epoch"]) for row in rows}


async def _insert_answers(transaction: UnitOfWork, writes: Sequence[TurnWrite]) -> None:
    rows = [
        (write.fence.kind, write.fence.shard, answer.caller, answer.call, answer.answer)
        for write in writes
        for answer in write.answers
    ]
    if rows and await transaction.execute(_INSERT_ANSWERS, *_columns(rows, 5)) != f"INSERT 0 {len(rows)}":
        raise _AnsweredBefore


async def _write_timers(transaction: UnitOfWork, writes: Sequence[TurnWrite]) -> None:
    """Deletes those that fired first: their turn may set them anew."""
    if fired := [row for write in writes for row in write.fired]:
        there = await delete_fired(transaction, fired)
        if missing := [write for write in writes if any(row.key not in there for row in write.fired)]:
            raise _FiredBefore(missing)
    cancelled = [
        (write.fence.kind, write.fence.shard, write.entity_id, name)
        for write in writes
        for name, row in write.timers.items()
        if row is None
    ]
    if cancelled:
        await cancel_timers(transaction, cancelled)
    if rows := [row for write in writes for row in write.timers.values() if row is not None]:
        await set_timers(transaction, rows)


async def _upsert_snapshots(transaction: UnitOfWork, writes: Sequence[TurnWrite]) -> None:
    rows = [
        (write.fence.kind, write.entity_id, write.snapshot.version, write.snapshot.body)
        for write in writes
        if write.snapshot is not None
    ]
    if rows:
        await transaction.execute(_UPSERT_SNAPSHOTS, *_columns(rows, 4))


def _by_kind(writes: Sequence[TurnWrite]) -> list[tuple[WriteEffects, list[Any]]]:
    """What each kind has to store: its ``write``, and the turns that it is given."""
    kinds: dict[str, tuple[WriteEffects, list[Any]]] = {}
    for write in writes:
        if write.write is not None:
            kinds.setdefault(write.fence.kind, (write.write, []))[1].append(write.turn)
    return list(kinds.values())


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(width)]
