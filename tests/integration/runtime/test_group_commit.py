"""Turns committed in groups to a real Postgres: fences, answers, failures of one, backends that die."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest

from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.snapshot_loader import SnapshotLoader
from actors.runtime.store.rows import AlreadyAnswered, Answer, Fence, Leadership, ShardRow, Snapshot, StaleEpoch
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.transaction_errors import WriteFailed
from actors.runtime.store.turn_writes import TRANSACTION_SETTINGS, TurnWrite, TurnWrites
from cluster.postgres import UnitOfWork, open_database

HOST = "host-0.1"


def fence(shard: int, epoch: int = 1, host: str = HOST) -> Fence:
    return Fence("book", shard, host, epoch)


def snapshot(shard: int, name: str, *calls: int, body: bytes = b"state", epoch: int = 1) -> TurnWrite:
    answers = [Answer(b"caller-1", call, b"done") for call in calls]
    return TurnWrite(fence(shard, epoch), name, answers, Snapshot(3, body))


async def write_lines(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
    """A kind's effects: (entity, number) rows."""
    await transaction.executemany("INSERT INTO lines VALUES ($1, $2)", turns)


def line(shard: int, name: str, number: object, *calls: int) -> TurnWrite:
    answers = [Answer(b"caller-1", call, b"done") for call in calls]
    return TurnWrite(fence(shard), name, answers, Snapshot(3, b"state"), (name, number), write_lines)


class Database:
    """The runtime's tables with one leader, and what tests ask of them."""

    def __init__(self, store: ShardStore, writes: TurnWrites, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.store = store
        self.writes = writes
        self.connection = connection
        self.leadership: Leadership

    async def lead(self) -> None:
        leadership = (await self.store.lead("leader", 600.0)).leadership
        assert leadership is not None
        self.leadership = leadership

    async def own(self, *shards: int, host: str = HOST, epoch: int = 1, moving_to: str = "") -> None:
        """Writes who owns shards, as soon as they are not locked by a turn."""
        rows = [ShardRow("book", shard, host, epoch, moving_to) for shard in shards]
        while rows:
            write = await self.store.write_map(self.leadership, rows)
            self.leadership = Leadership(self.leadership.term, write.position)
            rows = [row for row in rows if row not in write.written]

    async def lines(self) -> list[tuple[str, int]]:
        return [tuple(row) for row in await self.connection.fetch("SELECT * FROM lines ORDER BY number")]

    async def snapshots(self) -> set[str]:
        return {row["entity"] for row in await self.connection.fetch("SELECT entity FROM entity_snapshots")}

    async def cut_off(self) -> None:
        """Ends the committer's backends."""
        await self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'entativa-turns' AND datname = current_database()"
        )

    async def until(self, condition: str) -> None:
        """Waits until a backend of the committer is in this state."""
        async with asyncio.timeout(60):
            while not await self.connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'entativa-turns'"
                f" AND datname = current_database() AND {condition}"
            ):
                await asyncio.sleep(0.01)


@pytest.fixture
async def database(database_address: str) -> AsyncIterator[Database]:
    store = await ShardStore.open(database_address, application="test")
    writes = await TurnWrites.open(database_address)
    connection = await asyncpg.connect(database_address)
    await connection.execute("CREATE TABLE lines (entity text, number integer CHECK (number >= 0))")
    made = Database(store, writes, connection)
    await made.lead()
    await made.own(*range(20))
    yield made
    await connection.close()
    await writes.close()
    await store.close()


async def test_effects_snapshot_and_answers_of_many_turns_are_stored_together(database: Database) -> None:
    assert await database.writes.commit([line(n, f"e{n}", n, 100 + n) for n in range(20)]) == {}
    assert await database.lines() == [(f"e{n}", n) for n in range(20)]
    assert await database.store.snapshots("book", ["e7", "e99"]) == {"e7": Snapshot(3, b"state"), "e99": None}
    assert [row.answer for row in await database.store.answers([("book", 7)])] == [Answer(b"caller-1", 107, b"done")]
    await database.store.forget_answers(0.0)
    assert await database.store.answers([("book", 7)]) == []


async def test_a_stale_fence_takes_only_its_own_turn_out(database: Database) -> None:
    await database.own(1, host="host-1.1", epoch=2)
    later, elsewhere = (
        snapshot(2, "later", epoch=2),
        TurnWrite(fence(3, host="host-9"), "elsewhere", (), Snapshot(3, b"")),
    )
    moved, nowhere = snapshot(1, "moved"), snapshot(900, "nowhere")
    refused = await database.writes.commit([snapshot(0, "here"), moved, later, elsewhere, nowhere])
    assert set(refused) == {moved, later, elsewhere, nowhere}
    assert all(isinstance(error, StaleEpoch) for error in refused.values())
    assert await database.snapshots() == {"here"}


async def test_a_call_that_ran_before_takes_only_its_own_turn_out(database: Database) -> None:
    await database.writes.commit([snapshot(0, "a", 5, body=b"one")])
    again, other = snapshot(0, "a", 5, 6, body=b"two"), snapshot(0, "b", 7)
    refused = await database.writes.commit([again, other])
    assert list(refused) == [again]
    assert isinstance(refused[again], AlreadyAnswered)
    assert await database.store.snapshots("book", ["a"]) == {"a": Snapshot(3, b"one")}
    assert {row.answer.call for row in await database.store.answers([("book", 0)])} == {5, 7}


@pytest.mark.parametrize("poison", [-1, "no number", 1 << 40], ids=["constraint", "argument", "range"])
async def test_a_row_that_the_database_refuses_takes_only_its_own_turn_with_it(
    database: Database, poison: object
) -> None:
    committer = Committer(database.writes)
    turns = [line(n, f"e{n}", poison if n == 13 else n, n) for n in range(20)]
    results = await asyncio.gather(*map(committer.commit, turns), return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [13]
    assert await database.lines() == [(f"e{n}", n) for n in range(20) if n != 13]
    assert await database.store.answers([("book", 13)]) == []
    assert await database.snapshots() == {f"e{n}" for n in range(20) if n != 13}


@pytest.mark.parametrize("error", [OSError("no such file"), TimeoutError("another service does not answer")], ids=repr)
async def test_an_os_error_of_a_kinds_own_is_not_taken_for_a_lost_connection(
    database: Database, error: Exception
) -> None:
    async def write_and_more(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        await write_lines(transaction, turns)
        if any(number == 2 for _, number in turns):
            raise error

    committer = Committer(database.writes)
    turns = [line(n, f"e{n}", n, n) for n in range(4)]
    for turn in turns:
        turn.write = write_and_more
    results = await asyncio.gather(*map(committer.commit, turns), return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [2]
    assert isinstance(results[2], WriteFailed)
    assert str(error) in str(results[2])
    assert await database.lines() == [("e0", 0), ("e1", 1), ("e3", 3)]


async def test_a_statement_with_too_many_arguments_takes_only_its_own_turn_with_it(database: Database) -> None:
    """The client refuses it by itself, with an InterfaceError; the connection is as good as before."""
    committer = Committer(database.writes)
    turns = [line(n, f"e{n}", n, n) for n in range(4)]
    turns[2].turn = ("e2", 2, "more")
    results = await asyncio.gather(*map(committer.commit, turns), return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [2]
    assert await database.lines() == [("e0", 0), ("e1", 1), ("e3", 3)]


async def test_a_new_epoch_waits_for_a_commit_under_way_and_the_new_owner_sees_it(database: Database) -> None:
    async def take_over(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        write = await database.store.write_map(database.leadership, [ShardRow("book", 7, "host-1.1", 2)])
        assert write.written == [], "the shard is locked"

    turn = TurnWrite(fence(7), "b", [Answer(b"caller-1", 5, b"done")], None, "b", take_over)
    assert await database.writes.commit([turn]) == {}
    await database.own(7, host="host-1.1", epoch=2)
    assert [row.answer.call for row in await database.store.answers([("book", 7)])] == [5]


async def test_a_host_that_vanishes_inside_a_transaction_does_not_block_its_successor(database: Database) -> None:
    taken_over = asyncio.Event()

    async def vanish(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        await database.own(7, host="host-1.1", epoch=2)
        taken_over.set()

    turn = TurnWrite(fence(7), "b", (), Snapshot(3, b"late"), "b", vanish)
    refused = await database.writes.commit([turn])
    assert isinstance(refused[turn], StaleEpoch), "what it tries next"
    assert taken_over.is_set()
    assert await database.snapshots() == set()


async def test_the_map_is_written_while_turns_of_a_shard_never_pause(database: Database) -> None:
    committer = Committer(database.writes)
    moved = asyncio.Event()

    async def busy(name: str) -> None:
        while not moved.is_set():
            await committer.commit(snapshot(7, name))

    turns = [asyncio.create_task(busy(f"e{n}")) for n in range(8)]
    async with asyncio.timeout(60):
        await database.own(7, moving_to="host-1.1")
    moved.set()
    await asyncio.gather(*turns)


async def test_a_turn_whose_backend_dies_before_its_commit_is_stored_by_the_next(database: Database) -> None:
    committer = Committer(database.writes)
    attempts: list[int] = []

    async def hang_once(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        attempts.append(await transaction.fetchval("SELECT pg_backend_pid()"))
        if len(attempts) == 1:
            await transaction.execute("SELECT pg_sleep(2)")
        await write_lines(transaction, turns)

    turn = TurnWrite(fence(7), "b", [Answer(b"caller-1", 5, b"done")], Snapshot(3, b"late"), ("b", 1), hang_once)
    commit = committer.commit(turn)
    await database.until("query LIKE '%pg_sleep%' AND state = 'active'")
    assert not commit.done(), "acknowledged after the commit"
    await database.cut_off()
    await commit
    assert len(set(attempts)) == 2
    assert await database.lines() == [("b", 1)]
    assert await database.snapshots() == {"b"}
    assert [row.answer.call for row in await database.store.answers([("book", 7)])] == [5]


async def test_a_host_that_stalls_inside_a_transaction_stores_its_turn_with_the_next(database: Database) -> None:
    """Postgres has ended the transaction meanwhile, whatever it was that held the host up."""
    attempts: list[int] = []

    async def stall_once(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        attempts.append(await transaction.fetchval("SELECT pg_backend_pid()"))
        if len(attempts) == 1:
            time.sleep(1.7)
        await write_lines(transaction, turns)

    turn = TurnWrite(fence(7), "b", [Answer(b"caller-1", 5, b"done")], None, ("b", 1), stall_once)
    await Committer(database.writes).commit(turn)
    assert len(set(attempts)) >= 2
    assert await database.lines() == [("b", 1)]


async def test_turns_whose_backend_dies_each_time_fail_and_nothing_of_them_is_stored(database: Database) -> None:
    async def die(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        await write_lines(transaction, turns)
        await transaction.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    turn = TurnWrite(fence(7), "b", [Answer(b"caller-1", 5, b"done")], Snapshot(3, b"late"), ("b", 1), die)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await Committer(database.writes).commit(turn)
    assert await database.lines() == []
    assert await database.snapshots() == set()
    assert await database.store.answers([("book", 7)]) == []
    await Committer(database.writes).commit(snapshot(7, "b", 5))
    assert await database.snapshots() == {"b"}, "the next transaction has a new connection"


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns are halved until each is alone, however slow the machine."""
    monkeypatch.setattr("actors.runtime.hosting.committer.HALVING_SECONDS", 60.0)


async def _where_one_fails(
    committer: Committer, turns: Callable[[int], Sequence[TurnWrite]], failing: int
) -> tuple[int, list[BaseException | None]]:
    """The first attempt, of five, in which one turn alone fails, and what each turn's commit raised.

    In an attempt before, this process may have stalled in another turn's transaction, which Postgres then ends too.
    """
    for attempt in range(5):
        results = await asyncio.gather(*map(committer.commit, turns(attempt)), return_exceptions=True)
        failed = [n for n, result in enumerate(results) if result is not None]
        assert failing in failed
        if failed == [failing]:
            return attempt, results
    raise AssertionError(f"other turns failed as well, each time: {results}")


@pytest.mark.usefixtures("_patience")
async def test_a_statement_that_hangs_ends_and_takes_only_its_own_turn_with_it(database: Database) -> None:
    committer = Committer(database.writes)

    async def hang(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        if "hangs" in turns:
            await transaction.execute("SELECT pg_sleep(600)")

    def turns(attempt: int) -> list[TurnWrite]:
        names = (f"{attempt}a", "hangs", f"{attempt}b")
        return [TurnWrite(fence(n), name, (), Snapshot(3, b""), name, hang) for n, name in enumerate(names)]

    attempt, results = await _where_one_fails(committer, turns, 1)
    assert isinstance(results[1], asyncpg.QueryCanceledError)
    assert await database.snapshots() >= {f"{attempt}a", f"{attempt}b"}
    assert "hangs" not in await database.snapshots()


async def wait_for_ever(transaction: UnitOfWork) -> None:
    await asyncio.Event().wait()


async def compute(transaction: UnitOfWork) -> None:
    time.sleep(1.6)


async def pause_and_go_on(transaction: UnitOfWork) -> None:
    await asyncio.sleep(1.6)
    await transaction.execute("SELECT 1")


async def pause_at_the_end(transaction: UnitOfWork) -> None:
    await asyncio.sleep(1.6)


@pytest.mark.usefixtures("_patience")
@pytest.mark.parametrize("slow", [wait_for_ever, compute, pause_and_go_on, pause_at_the_end])
async def test_a_write_that_is_slow_between_its_statements_takes_only_its_own_turn_with_it(
    database: Database, slow: Callable[[UnitOfWork], Awaitable[None]]
) -> None:
    """Postgres ends transactions in which nothing happens for 1.5 s, and nobody one whose ``write`` waits for ever."""
    committer = Committer(database.writes)

    async def write(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        await write_lines(transaction, turns)
        if any(number == 2 for _, number in turns):
            await slow(transaction)

    def turns(attempt: int) -> list[TurnWrite]:
        made = [line(n, f"{attempt}e{n}", n, 10 * attempt + n) for n in range(5)]
        for turn in made:
            turn.write = write
        return made

    async with asyncio.timeout(120):
        attempt, results = await _where_one_fails(committer, turns, 2)
    assert isinstance(results[2], WriteFailed)
    stored = [written for written in await database.lines() if written[0].startswith(f"{attempt}e")]
    assert stored == [(f"{attempt}e{n}", n) for n in (0, 1, 3, 4)]
    await committer.commit(snapshot(2, "e2", 500))
    assert "e2" in await database.snapshots(), "the next transaction has a connection"


async def test_one_statement_reads_at_most_eight_mebibytes_of_snapshots_and_always_one(database: Database) -> None:
    large = b"x" * (5 << 20)
    await database.writes.commit([snapshot(n, name, body=large) for n, name in enumerate("abc")])
    names = ["a", "new", "b", "c"]
    read = await database.store.snapshots("book", names)
    assert read == {"a": Snapshot(3, large), "new": None}
    assert await database.store.snapshots("book", names[2:]) == {"b": Snapshot(3, large)}
    await database.writes.commit([snapshot(9, "d", body=b"x" * (9 << 20))])
    assert set(await database.store.snapshots("book", ["d", "a"])) == {"d"}


async def test_an_id_that_the_database_refuses_fails_only_its_own_load(database: Database) -> None:
    await database.writes.commit([snapshot(n, name) for n, name in enumerate("abc")])
    loader = SnapshotLoader(database.store, "book")
    names = ["a", "b", "no\x00text", "c", "new"]
    loads = await asyncio.gather(*map(loader.load, names), return_exceptions=True)
    assert isinstance(loads[2], asyncpg.PostgresError)
    assert [*loads[:2], *loads[3:]] == [Snapshot(3, b"state"), Snapshot(3, b"state"), Snapshot(3, b"state"), None]


async def test_a_transaction_that_is_to_be_brief_is_and_the_next_one_is_not(database: Database) -> None:
    waits: list[str] = []

    async def ask(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        waits.append(await transaction.fetchval("SHOW lock_timeout"))
        waits.append(await transaction.fetchval("SHOW statement_timeout"))

    for briefly in (True, False):
        await database.writes.commit([TurnWrite(fence(1), "a", (), Snapshot(3, b""), "a", ask)], briefly=briefly)
    assert waits == ["150ms", "500ms", "1500ms", "3s"]


async def test_a_turn_that_waits_for_a_lock_fails_alone(database: Database) -> None:
    await database.connection.execute("CREATE UNIQUE INDEX ON lines (number)")
    other = database.connection.transaction()
    await other.start()
    await database.connection.execute("INSERT INTO lines VALUES ('somebody else''s', 3)")
    committer = Committer(database.writes)
    turns = [line(n, f"e{n}", n, n) for n in range(6)]
    results = await asyncio.gather(*map(committer.commit, turns), return_exceptions=True)
    await other.rollback()
    assert [n for n, result in enumerate(results) if result is not None] == [3]
    assert isinstance(results[3], asyncpg.LockNotAvailableError)
    assert await database.lines() == [(f"e{n}", n) for n in range(6) if n != 3]


async def test_turns_whose_connection_is_lost_each_time_are_not_tried_by_halves(database: Database) -> None:
    """Whatever asyncpg says of it: with hundreds of turns that would take minutes."""
    attempts: list[int] = []

    async def drop(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        attempts.append(len(turns))
        assert transaction._connection is not None
        transaction._connection.terminate()
        await write_lines(transaction, turns)

    committer = Committer(database.writes)
    turns = [TurnWrite(fence(n), f"e{n}", (), None, (f"e{n}", n), drop) for n in range(8)]
    results = await asyncio.gather(*map(committer.commit, turns), return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results)
    assert attempts == [8, 8, 8]
    assert await database.lines() == []


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "rolled back"])
async def test_a_turn_whose_connection_is_lost_during_the_commit_is_stored_once_and_acknowledged_then(
    database_address: str, database: Database, committed: bool
) -> None:
    """The server may go on with a commit whose client is gone, here until the test says so. Before it ends nobody knows
    whether the turn is stored."""
    await database.connection.execute(
        """
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
            'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER held AFTER INSERT ON lines DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION hold();
        SELECT pg_advisory_lock(42);
        """
    )
    lost = await asyncpg.connect(database_address)
    settings = {**TRANSACTION_SETTINGS, "client_connection_check_interval": "0", "statement_timeout": "0"}
    pool = await open_database(database_address, pool_size=2, settings=settings)
    used: list[Any] = []

    async def write(transaction: UnitOfWork, turns: Sequence[Any]) -> None:
        used.append(transaction._connection)
        await write_lines(transaction, turns)

    turn, refused = line(7, "a", 1, 5), snapshot(8, "b", 6, epoch=2)
    turn.write = write
    writes = TurnWrites(pool)
    commit = asyncio.create_task(writes.commit([turn, refused]))
    await database.until("query LIKE 'COMMIT%' AND wait_event = 'advisory'")
    used[0].terminate()
    await database.until("query LIKE '%FOR NO KEY UPDATE%' AND wait_event_type = 'Lock'")
    assert not commit.done()
    if not committed:
        await lost.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'advisory'"
        )
    await database.connection.execute("SELECT pg_advisory_unlock(42)")
    assert list(await commit) == [refused]
    assert len(used) == (1 if committed else 2)
    assert await database.lines() == [("a", 1)]
    assert [row.answer.call for row in await database.store.answers([("book", 7)])] == [5]
    assert await database.snapshots() == {"a"}
    # Its question was committed, too, and so has waited for synchronous standbys, as a commit that is cut off has not.
    assert (
        await database.connection.fetchval(
            "SELECT pg_xact_status(xmax::text::xid8) FROM shards WHERE kind = 'book' AND shard = 8"
        )
        == "committed"
    )
    assert await writes.commit([line(7, "a", 2, 6)]) == {}, "what the host knows to be stored is"
    await lost.close()
    await pool.close()
