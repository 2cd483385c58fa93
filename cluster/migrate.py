"""Numbered SQL migrations: `migrations/NNNN_name.sql`, applied in order, each in its own transaction.

A migration that waits for a table holds up everybody who comes after it, so it waits `LOCK_TIMEOUT` and is tried again
later. An index on a table in use is built concurrently: a file whose second line is `-- no-transaction` holds that one
statement, ``create index concurrently``; what an interrupted build left is dropped first. Rows of a table in use are
changed some at a time: a file whose second line is `-- in-batches` holds one statement that changes a limited number of
rows; it is repeated, each time in a transaction of its own, until it changes none.

The first line of a file names its compatibility version: the lowest migration number whose code still runs against the
migrated schema (``-- compatible-from: 3``), so that a rolling update knows whether old replicas may keep running.
"""

import asyncio
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_COMPATIBLE = re.compile(r"^-- compatible-from: (\d+)$")
_NO_TRANSACTION = "-- no-transaction"
_IN_BATCHES = "-- in-batches"
_INDEX = re.compile(r"^create (?:unique )?index concurrently ([a-z0-9_]+) on [^;]*;?\s*$")
_BATCH = re.compile(r"^(?:update|delete) [^;]*;?$")
_LOCK = 7_203_100

LOCK_TIMEOUT = "2s"
_ATTEMPTS = 10
_PAUSE_S = 1.0
_POLL_S = 0.2

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_TABLE = """
create table if not exists schema_migrations (
    number int primary key,
    name text not null,
    checksum text not null,
    compatible_from int not null,
    applied_at timestamptz not null default now()
)
"""

_RECORD = "insert into schema_migrations (number, name, checksum, compatible_from) values ($1, $2, $3, $4)"


class MigrationError(Exception):
    """The migrations and the database do not fit together; the message says how."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str
    compatible_from: int

    @property
    def concurrent_index(self) -> str | None:
        """The index that this migration builds outside of a transaction. Raises MigrationError if it asks for that and
        holds anything else."""
        statement = self._alone(_NO_TRANSACTION)
        if statement is None:
            return None
        found = _INDEX.match(statement)
        if not found:
            raise MigrationError(
                f"{self.number:04}_{self.name}: -- no-transaction is for one create index concurrently"
            )
        return found[1]

    @property
    def batch(self) -> str | None:
        """The statement that is repeated until it changes no rows. Raises MigrationError for anything but one update or
        delete."""
        statement = self._alone(_IN_BATCHES)
        if statement is not None and not _BATCH.match(statement):
            raise MigrationError(f"{self.number:04}_{self.name}: -- in-batches is for one update or delete")
        return statement

    def _alone(self, marker: str) -> str | None:
        """The text below the marker in the second line, without comments; None without the marker."""
        lines = self.sql.split("\n")
        if len(lines) < 2 or lines[1] != marker:
            return None
        return " ".join(line for line in lines[2:] if not line.startswith("--")).strip()

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def load_migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """All migrations in order. Raises MigrationError for a bad name, a gap, a repeat or a missing header."""
    migrations = []
    for path in sorted(directory.glob("*.sql")):
        match = _NAME.match(path.name)
        if not match:
            raise MigrationError(f"{path.name}: a migration is named NNNN_name.sql")
        sql = path.read_text()
        header = _COMPATIBLE.match(sql.split("\n", 1)[0])
        if not header:
            raise MigrationError(f"{path.name}: the first line must be '-- compatible-from: N'")
        migration = Migration(int(match[1]), match[2], sql, int(header[1]))
        _ = migration.concurrent_index, migration.batch
        migrations.append(migration)
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationError(f"migration {expected:04} is missing, found {migration.number:04}_{migration.name}")
    return migrations


async def applied_version(connection: "Connection") -> int:
    """The number of the last applied migration; 0 for an empty database."""
    if await connection.fetchval("select to_regclass('schema_migrations')") is None:
        return 0
    return int(await connection.fetchval("select coalesce(max(number), 0) from schema_migrations"))


async def check_compatible(connection: "Connection", migrations: list[Migration]) -> None:
    """Raise MigrationError unless this code can run against the database as it stands."""
    version, newest = await applied_version(connection), migrations[-1].number
    if version < newest:
        raise MigrationError(f"the database is at migration {version}, this code needs {newest}: run migrate")
    needs = await connection.fetchval("select max(compatible_from) from schema_migrations")
    if needs > newest:
        raise MigrationError(f"the database needs code from migration {needs} or newer, this code is of {newest}")


async def migrate(dsn: str, migrations: list[Migration] | None = None) -> list[Migration]:
    """Apply what is missing and return it. Safe to run from several places at once: one works, the others wait. Raises
    MigrationError when a table stays in use."""
    migrations = load_migrations() if migrations is None else migrations
    connection = await asyncpg.connect(dsn)
    try:
        # Not a statement that waits: an index built concurrently would wait for its snapshot, in a circle.
        while True:
            if await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
                break
            await asyncio.sleep(_POLL_S)
        await connection.execute(_TABLE)
        known = {row["number"]: row for row in await connection.fetch("select * from schema_migrations")}
        done = []
        for migration in migrations:
            row = known.get(migration.number)
            if row is None:
                await _apply(connection, migration)
                done.append(migration)
            elif row["checksum"] != migration.checksum:
                raise MigrationError(
                    f"migration {migration.number:04}_{migration.name} was changed after it was applied: "
                    "write a new migration instead"
                )
        return done
    finally:
        await connection.close()


async def _apply(connection: "Connection", migration: Migration) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            if index := migration.concurrent_index:
                await _build(connection, migration, index)
            elif batch := migration.batch:
                await _repeat(connection, migration, batch)
            else:
                async with connection.transaction():
                    await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
                    await connection.execute(migration.sql)
                    await _record(connection, migration)
            return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if attempt == _ATTEMPTS:
                name = f"{migration.number:04}_{migration.name}"
                raise MigrationError(f"{name} waits for a table that a long transaction uses: migrate later") from error
            await asyncio.sleep(_PAUSE_S)


async def _build(connection: "Connection", migration: Migration, index: str) -> None:
    """Builds an index beside reads and writes. It waits for transactions without holding anybody up, so without a
    lock timeout."""
    await connection.execute(f"drop index concurrently if exists {index}")
    await connection.execute(migration.sql)
    await _record(connection, migration)


async def _repeat(connection: "Connection", migration: Migration, batch: str) -> None:
    """Changes rows until none are left. Interrupted, it goes on where it was."""
    changed = True
    while changed:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            changed = not (await connection.execute(batch)).endswith(" 0")
    await _record(connection, migration)


async def _record(connection: "Connection", migration: Migration) -> None:
    await connection.execute(_RECORD, migration.number, migration.name, migration.checksum, migration.compatible_from)
