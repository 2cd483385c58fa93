"""Postgres: a pool per brand and one unit of work per request.

A unit of work takes a connection with its first statement and gives it back at its end. Writing units run in one
transaction that `commit()` ends; reading units run each statement on its own, which saves two round trips
(docs/decisions/unit-of-work.md). Events published through a unit are written to the outbox by the same transaction. A
unit that writes with one statement only has that for its transaction (`write_at_commit`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import asyncpg
from asyncpg import Record

from cluster.cancellation import run_to_completion
from cluster.events.event import Event
from cluster.events.outbox import INSERT, OutboxSignal, insert_arguments
from cluster.last_write import WRITTEN, LastWrite, publishing
from cluster.logs import logger
from cluster.metrics import SQL_STATEMENTS, Counter
from cluster.postgres_pool import Probe, open_pool
from cluster.statement_log import finished
from cluster.storage_errors import DATABASE_ERRORS, PoolExhausted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cluster.postgres_pool import Pool

    PooledConnection = asyncpg.pool.PoolConnectionProxy[Record]

_STREAMED_AT_ONCE = 200
ACQUIRE_TIMEOUT_S = 5.0
"""How long a unit of work waits for a connection while all of them are in use."""
COMMAND_TIMEOUT_S = 30.0
"""How long a statement may take, or each part of a result that is read in parts."""

FAILED = Counter("entativa_after_commit_failures_total", "Reactions and actions after a commit that failed", ["type"])

log = logger(__name__)

Reaction = Callable[[Sequence[Event]], Awaitable[None]]
"""What a process does with events right after their commit, before the response. What it raises is logged and counted:
the commit stands."""


class UnitOfWork:
    """The statements of one request or one consumed event. Use as an async context manager; leaving without
    `commit()` rolls back."""

    def __init__(self, database: "Database", *, read_only: bool = False) -> None:
        self._database = database
        self._read_only = read_only
        # Several tasks may share a unit: their statements take turns.
        self._turn = asyncio.Lock()
        self._connection: PooledConnection | None = None
        self._transaction: asyncpg.transaction.Transaction | None = None
        self._events: list[Event] = []
        self._after_commit: list[Callable[[], Awaitable[None]]] = []
        self._last: LastWrite | None = None
        self.statements = 0
        """How many SQL statements were sent, transaction control aside."""

    @property
    def connection_lost(self) -> bool | None:
        """Whether the connection that the unit has now is closed. None while it has none."""
        try:
            return None if self._connection is None else self._connection.is_closed()
        except asyncpg.InterfaceError:
            return True  # the pool has taken it back

    @property
    def has_written(self) -> bool:
        """Whether a transaction has begun, or the commit will write something."""
        return self._transaction is not None or bool(self._events) or self._last is not None

    async def _use(self, *, begin: bool = True) -> "PooledConnection":
        if self._connection is None:
            self._connection = await self._database.acquire()
        if begin and self._transaction is None and not self._read_only:
            self._transaction = self._connection.transaction()
            await self._transaction.start()
        self.statements += 1
        return self._connection

    async def _run(self, method: str, sql: str, *arguments: Any, begin: bool = True) -> Any:
        """Has the connection run one statement, by this method; in a transaction, unless none has begun and `begin` is
        false."""
        async with self._turn:
            connection = await self._use(begin=begin)
            begun = time.perf_counter()
            try:
                return await getattr(connection, method)(sql, *arguments)
            finally:
                finished(connection, sql, begun)

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:
        """All rows."""
        rows: list[Record] = await self._run("fetch", sql, *arguments)
        return rows

    async def read(self, sql: str, *arguments: Any) -> list[Record]:
        """All rows of a statement that only reads and locks nothing: where no transaction has begun, it begins none."""
        rows: list[Record] = await self._run("fetch", sql, *arguments, begin=False)
        return rows

    async def fetchrow(self, sql: str, *arguments: Any) -> Record | None:
        """The first row, or None."""
        row: Record | None = await self._run("fetchrow", sql, *arguments)
        return row

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._run("fetchval", sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> str:
        """Run a statement; returns its command tag, for example ``UPDATE 1``."""
        tag: str = await self._run("execute", sql, *arguments)
        return tag

    async def execute_last(self, sql: str, *arguments: Any) -> str:
        """Run the last statement of a unit: where it has written nothing before, the statement is a transaction by
        itself, and stands whether or not the unit commits. Returns its command tag."""
        tag: str = await self._run("execute", sql, *arguments, begin=bool(self._events) or self._last is not None)
        return tag

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for many rows in one round trip."""
        await self._run("executemany", sql, rows)

    async def stream(self, sql: str, *arguments: Any) -> "AsyncIterator[Record]":
        """Rows one by one, read through a cursor some hundred at a time. For writing units: it needs a transaction."""
        async with self._turn:
            cursor = await (await self._use()).cursor(sql, *arguments)
        while True:
            async with self._turn:
                rows = await cursor.fetch(_STREAMED_AT_ONCE)
            for row in rows:
                yield row
            if len(rows) < _STREAMED_AT_ONCE:
                return

    @asynccontextmanager
    async def savepoint(self) -> "AsyncIterator[None]":
        """A block whose statements and events are taken back if it raises; the unit goes on. No other task may use the
        unit meanwhile."""
        events, actions, last = len(self._events), len(self._after_commit), self._last
        try:
            transaction = (await self._use()).transaction()
            await transaction.start()
            try:
                yield
            except BaseException:
                with suppress(*DATABASE_ERRORS):  # the connection is gone: the next statement says so
                    await transaction.rollback()
                raise
            await transaction.commit()
        except BaseException:
            del self._events[events:], self._after_commit[actions:]
            self._last = last
            raise

    def publish(self, event: Event) -> None:
        """Write an event to the outbox when this unit commits."""
        self._events.append(event)

    def write_at_commit(self, statement: str, *arguments: Any, refused: Exception) -> None:
        """Writes when this unit commits, with one statement that also writes its events: where nothing else was
        written, that is the whole transaction, in one round trip instead of four. No statement of this unit sees it.

        `statement` is ``with written as (...), ... select count(*) from written``. If `written` has no row, nothing is
        published, and `commit` raises `refused`."""
        assert self._last is None, "a unit of work has one last write"
        assert statement.endswith(WRITTEN), "the events could not be added"
        self._last = LastWrite(statement, arguments, refused)

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run an action once the transaction is durable (a cache to drop, a socket to close)."""
        self._after_commit.append(action)

    async def commit(self) -> None:
        """Make the work durable, then run the actions that waited for it. A cancellation takes effect afterwards; work
        that is done after a commit is a transaction of its own. Raises what `write_at_commit` was given if its
        condition did not hold; then nothing is written."""
        if self._transaction is None and not self._events and not self._after_commit and self._last is None:
            await self._release()
        else:
            await run_to_completion(self._commit())

    async def _commit(self) -> None:
        if self._last is not None:
            await self._write_last(self._last)
        elif self._events:
            await self._run("execute", INSERT, *insert_arguments(self._events), begin=False)
        if self._transaction is not None:
            await self._transaction.commit()
            self._transaction = None
        await self._release()
        events, self._events = self._events, []
        actions, self._after_commit = self._after_commit, []
        if events:
            self._database.signal.send()
            for react in self._database.reactions:
                await _guarded("reaction", react(events))
        for action in actions:
            await _guarded("action", action())

    async def _write_last(self, last: LastWrite) -> None:
        self._last = None
        statement, arguments = last.statement, list(last.arguments)
        if self._events:
            statement = publishing(statement, len(arguments))
            arguments += insert_arguments(self._events)
        if not await self._run("fetchval", statement, *arguments, begin=False):
            raise last.refused

    async def _release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            # A connection that cannot be reset is closed and replaced by the pool; what was committed stands.
            with suppress(*DATABASE_ERRORS):
                await self._database.pool.release(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._transaction is not None:
                transaction, self._transaction = self._transaction, None
                # Where the connection is gone, so is the transaction; `error`, a cancellation perhaps, is to pass.
                with suppress(*DATABASE_ERRORS):
                    await transaction.rollback()
        finally:
            await self._release()
            if self.statements:
                SQL_STATEMENTS.inc(self.statements)


async def _guarded(type: str, work: Awaitable[None]) -> None:
    try:
        await work
    except Exception as error:
        FAILED.labels(type).inc()
        log.error("work after a commit failed", type=type, error=error.__class__.__name__, exc_info=error)


class Database:
    """The connection pool of one brand in one process."""

    def __init__(self, pool: "Pool", dsn: str) -> None:
        self.pool = pool
        self._probe = Probe(dsn)
        self.reactions: list[Reaction] = []
        self.signal = OutboxSignal(pool.execute, DATABASE_ERRORS)

    def unit_of_work(self, *, read_only: bool = False) -> UnitOfWork:
        """A unit of work; nothing is sent before its first statement."""
        return UnitOfWork(self, read_only=read_only)

    async def acquire(self) -> "PooledConnection":
        """A connection of the pool. Raises PoolExhausted when all stay in use."""
        try:
            return await self.pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        except TimeoutError as error:
            if self.pool.get_idle_size() or self.pool.get_size() < self.pool.get_max_size():
                raise  # a new connection could not be opened in time
            raise PoolExhausted("no connection of the pool became free") from error

    async def ping(self) -> None:
        """Raises unless the database responds. Uses a connection of its own: a pool in full use is no outage."""
        await self._probe.ping()

    async def close(self) -> None:
        await self.signal.close()
        self._probe.close()
        await self.pool.close()


async def open_database(
    dsn: str, *, pool_size: int = 8, settings: Mapping[str, str] | None = None, limited: bool = True
) -> Database:
    """Connects a pool. `settings` are Postgres settings of the sessions, beside the usual ones. Statements end after
    `COMMAND_TIMEOUT_S`, unless they are not `limited`: those of an operator, who can wait for much data and can
    interrupt."""
    return Database(await open_pool(dsn, pool_size, settings or {}, COMMAND_TIMEOUT_S if limited else None), dsn)


@asynccontextmanager
async def connect_database(dsn: str, *, pool_size: int = 8, limited: bool = True) -> "AsyncIterator[Database]":
    """`open_database` that closes at the end of the block."""
    database = await open_database(dsn, pool_size=pool_size, limited=limited)
    try:
        yield database
    finally:
        await database.close()
