"""Numbered SQL migrations: `migrations/NNNN_name.sql`, applied in order, each in its own transaction.

The first line of a file names its compatibility version: the lowest migration number whose code still runs against the
migrated schema (``-- compatible-from: 3``), so that a rolling update knows whether old replicas may keep running.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_COMPATIBLE = re.compile(r"^-- compatible-from: (\d+)$")
_LOCK = 7_203_100

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
        migrations.append(Migration(int(match[1]), match[2], sql, int(header[1])))
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
    """Apply what is missing and return it. Safe to run from several places at once: one works, the others wait."""
    migrations = load_migrations() if migrations is None else migrations
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        known = {row["number"]: row for row in await connection.fetch("select * from schema_migrations")}
        done = []
        for migration in migrations:
            row = known.get(migration.number)
            if row is None:
                async with connection.transaction():
                    await connection.execute(migration.sql)
                    await connection.execute(
                        _RECORD,
                        migration.number,
                        migration.name,
                        migration.checksum,
                        migration.compatible_from,
                    )
                done.append(migration)
            elif row["checksum"] != migration.checksum:
                raise MigrationError(
                    f"migration {migration.number:04}_{migration.name} was changed after it was applied: "
                    "write a new migration instead"
                )
        return done
    finally:
        await connection.close()
