"""Where the sharded-entity runtime remembers: leases, the shard map, fenced writes, snapshots.

All clocks that decide anything are Postgres's own (``clock_timestamp()``), and every write that could
come from a process that was replaced meanwhile is conditional: a coordinator names its term, a host
its lease row, an entity's turn its shard's epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

Result = TypeVar("Result")


class Statements(Protocol):
    """What runs SQL inside a transaction: a connection, or a unit of work."""

    async def fetchrow(self, sql: str, /, *arguments: Any) -> asyncpg.Record | None: ...

    async def execute(self, sql: str, /, *arguments: Any) -> str: ...


class StaleEpoch(Exception):
    """The shard has another owner or a later epoch now; the transaction was rolled back."""


class AlreadyAnswered(Exception):
    """A call of this turn ran before and its answer is stored; the transaction was rolled back."""


class LostLeadership(Exception):
    """Another coordinator holds the lease; nothing was written."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Which owner a durable write comes from."""

    kind: str
    shard: int
    host: str
    epoch: int


Claim = tuple[str, int, int]
"""(kind, shard, epoch): which ownership of a shard a message is about."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to one call: who called (8 random bytes per router), its number there, the packed answer."""

    caller: bytes
    call: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class HostRow:
    """A living host incarnation."""

    host: str
    name: str
    node: str
    address: str
    """``ip:port`` of its stream listener."""
    socket: str
    """Path of its Unix socket on ``node``."""
    draining: bool
    load: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One entry of the map."""

    kind: str
    shard: int
    host: str
    epoch: int
    moving_to: str = ""


DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a method of ShardStore raises when Postgres cannot be asked now."""

_HOST_COLUMNS = "host, name, node, address, socket, draining, load"
# A host that vanishes inside a transaction must not keep its shard's row locked against its successor.
_FENCE = """
SELECT set_config('idle_in_transaction_session_timeout', '1500', true)
FROM shards WHERE kind = $1 AND shard = $2 AND host = $3 AND epoch = $4 FOR SHARE
"""


class ShardStore:
    """The runtime's tables in one brand's database."""

    def __init__(self, dsn: str, application: str, max_connections: int) -> None:
        self._dsn = dsn
        self._application = application
        self._max_connections = max_connections
        self._pool: asyncpg.Pool[asyncpg.Record]

    @classmethod
    async def open(cls, dsn: str, *, application: str, max_connections: int = 4) -> ShardStore:
        """Opens a pool of at most ``max_connections`` connections that names itself ``application`` to Postgres."""
        store = cls(dsn, application, max_connections)
        store._pool = await store._new_pool(min_connections=1)
        return store

    async def _new_pool(self, min_connections: int) -> asyncpg.Pool[asyncpg.Record]:
        return await asyncpg.create_pool(
            self._dsn,
            min_size=min_connections,
            max_size=self._max_connections,
            command_timeout=10,
            server_settings={"application_name": self._application[:63]},
        )

    async def with_timeout(self, seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of one of this store's methods, or TimeoutError once ``seconds`` are over.

        It is not enough to cancel a statement: asyncpg then asks the server to cancel it and waits for that, and a
        server that is out of reach lets it wait for 12 s. So all connections are cut, since those that are idle lead
        to the same server, and whoever uses one gets a error; what comes next finds new ones.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        cut, self._pool = self._pool, await self._new_pool(min_connections=0)
        cut.terminate()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise TimeoutError(f"no answer from the database in {seconds} s")

    async def close(self) -> None:
        """Gives running statements five seconds, then cuts the connections."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()

    # --- writes of entities -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def fenced(self, fence: Fence, answers: Sequence[Answer] = ()) -> AsyncIterator[Connection]:
        """A transaction that commits only if ``fence`` still owns its shard; raises StaleEpoch otherwise, and
        AlreadyAnswered if one of ``answers`` is stored.

        The shard's row is share-locked until the commit, so a new owner's epoch is written either before
        (and this raises) or after (and the new owner sees this write). ``answers`` are stored with it.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, fence, answers)
            yield connection

    async def save_snapshot(
        self, fence: Fence, entity_id: str, version: int, body: bytes, answers: Sequence[Answer] = ()
    ) -> None:
        """Stores an entity's snapshot under the fence."""
        async with self.fenced(fence, answers) as connection:
            await write_snapshot(connection, fence.kind, entity_id, version, body)

    async def load_snapshot(self, kind: str, entity_id: str) -> tuple[int, bytes] | None:
        """(version, body) of the stored snapshot, if any."""
        row = await self._pool.fetchrow(
            "SELECT format, body FROM entity_snapshots WHERE kind = $1 AND entity = $2", kind, entity_id
        )
        return None if row is None else (row["format"], row["body"])

    async def answers(self, shards: Iterable[tuple[str, int]]) -> list[tuple[str, int, Answer]]:
        """The stored answers of these shards, as (kind, shard, answer)."""
        kinds, numbers = [], []
        for kind, shard in shards:
            kinds.append(kind)
            numbers.append(shard)
        rows = await self._pool.fetch(
            "SELECT kind, shard, caller, call, answer FROM shard_answers"
            " WHERE (kind, shard) IN (SELECT * FROM unnest($1::text[], $2::smallint[]))",
            kinds,
            numbers,
        )
        return [(r["kind"], r["shard"], Answer(r["caller"], r["call"], r["answer"])) for r in rows]

    async def forget_answers(self, older_than: float) -> None:
        """Drops answers that are ``older_than`` seconds old; no deadline is as long."""
        await self._pool.execute(
            "DELETE FROM shard_answers WHERE answered_at < clock_timestamp() - make_interval(secs => $1)",
            older_than,
        )

    # --- hosts --------------------------------------------------------------------------------------------

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

    # --- the coordinator ----------------------------------------------------------------------------------

    async def lead(self, holder: str, lease: float) -> int | None:
        """Takes or keeps the leader's lease: its term, or None while another holds it."""
        term: int | None = await self._pool.fetchval(
            "UPDATE shard_coordinator SET holder = $1,"
            " term = term + CASE WHEN holder = $1 THEN 0 ELSE 1 END,"
            " expires_at = clock_timestamp() + make_interval(secs => $2)"
            " WHERE holder = $1 OR expires_at < clock_timestamp() RETURNING term",
            holder,
            lease,
        )
        return term

    async def resign(self, holder: str) -> None:
        """Lets another candidate lead at once."""
        await self._pool.execute(
            "UPDATE shard_coordinator SET holder = '', expires_at = '-infinity' WHERE holder = $1", holder
        )

    async def expire_hosts(self, term: int) -> list[str]:
        """Declares dead every host whose lease ran out: their rows are gone, so they cannot come back."""
        rows = await self._pool.fetch(
            "DELETE FROM shard_hosts WHERE expires_at <= clock_timestamp()"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE term = $1) RETURNING host",
            term,
        )
        return [r["host"] for r in rows]

    async def deregister(self, term: int, host: str) -> bool:
        """The host left in good order, or is known to be gone: whether it was there and the leader may say so."""
        deregistered: str | None = await self._pool.fetchval(
            "DELETE FROM shard_hosts WHERE host = $2"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE term = $1) RETURNING host",
            term,
            host,
        )
        return deregistered is not None

    async def mark_draining(self, term: int, host: str, draining: bool) -> None:
        """Whether a host's shards are to be moved away. Says nothing for a leader whose term is over."""
        await self._pool.execute(
            "UPDATE shard_hosts SET draining = $3 WHERE host = $2"
            " AND EXISTS (SELECT FROM shard_coordinator WHERE term = $1)",
            term,
            host,
            draining,
        )

    async def shard_map(self, since: int = 0) -> tuple[int, list[ShardRow]]:
        """(version, rows changed after version ``since``)."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            version: int = await connection.fetchval("SELECT map_version FROM shard_coordinator")
            rows = await connection.fetch(
                "SELECT kind, shard, host, epoch, moving_to FROM shards WHERE version > $1", since
            )
        return version, [ShardRow(r["kind"], r["shard"], r["host"], r["epoch"], r["moving_to"]) for r in rows]

    async def write_map(self, term: int, rows: Sequence[ShardRow]) -> int:
        """Stores changed rows as the next version of the map, which it returns; raises LostLeadership."""
        async with self._pool.acquire() as connection, connection.transaction():
            version: int | None = await connection.fetchval(
                "UPDATE shard_coordinator SET map_version = map_version + 1"
                " WHERE term = $1 AND expires_at > clock_timestamp() RETURNING map_version",
                term,
            )
            if version is None:
                raise LostLeadership(f"term {term} is over")
            await connection.execute(
                "INSERT INTO shards (kind, shard, host, epoch, moving_to, version)"
                " SELECT *, $6::bigint"
                " FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[], $5::text[])"
                " ON CONFLICT (kind, shard) DO UPDATE SET host = excluded.host, epoch = excluded.epoch,"
                " moving_to = excluded.moving_to, version = excluded.version",
                [r.kind for r in rows],
                [r.shard for r in rows],
                [r.host for r in rows],
                [r.epoch for r in rows],
                [r.moving_to for r in rows],
                version,
            )
        return version


async def hold(transaction: Statements, fence: Fence, answers: Sequence[Answer] = ()) -> None:
    """`ShardStore.fenced` inside a transaction of the caller's (a unit of work), as one of its first statements."""
    if await transaction.fetchrow(_FENCE, fence.kind, fence.shard, fence.host, fence.epoch) is None:
        raise StaleEpoch(f"{fence.kind}/{fence.shard} is no longer {fence.host}'s at epoch {fence.epoch}")
    if answers:
        status = await transaction.execute(
            "INSERT INTO shard_answers (kind, shard, caller, call, answer)"
            " SELECT $1, $2, * FROM unnest($3::bytea[], $4::bigint[], $5::bytea[]) ON CONFLICT DO NOTHING",
            fence.kind,
            fence.shard,
            [a.caller for a in answers],
            [a.call for a in answers],
            [a.answer for a in answers],
        )
        if status != f"INSERT 0 {len(answers)}":
            raise AlreadyAnswered(f"{fence.kind}/{fence.shard}")


async def write_snapshot(connection: Connection, kind: str, entity_id: str, version: int, body: bytes) -> None:
    """Stores a snapshot inside a transaction of the caller, who holds the fence."""
    await connection.execute(
        "INSERT INTO entity_snapshots (kind, entity, format, body) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (kind, entity) DO UPDATE"
        " SET format = excluded.format, body = excluded.body, saved_at = clock_timestamp()",
        kind,
        entity_id,
        version,
        body,
    )


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
