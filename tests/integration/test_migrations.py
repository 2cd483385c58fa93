"""Migrations: applied to an empty database they give the recorded schema; changed or missing ones are refused."""

import asyncio
import json
import subprocess
from pathlib import Path

import asyncpg
import pytest

from cluster.local.services import postgres_programs
from cluster.migrate import Migration, MigrationError, check_compatible, load_migrations, migrate
from tests.support.servers import Servers, execute
from tests.support.statements import RECORDED, statements

SCHEMA = Path(__file__).parent / "schema.sql"


def dump(address: str) -> str:
    """The schema as pg_dump prints it, without comments and session settings."""
    program = postgres_programs() / "pg_dump"
    result = subprocess.run(
        [program, "--schema-only", "--no-owner", "--no-privileges", address], capture_output=True, text=True, check=True
    )
    dropped = ("--", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict")
    kept = [line for line in result.stdout.splitlines() if line and not line.startswith(dropped)]
    return "\n".join(kept) + "\n"


async def test_replay_gives_the_schema_on_record(database_address: str) -> None:
    """After a new migration: write what this test prints to schema.sql, and read the difference."""
    found = dump(database_address)
    if not SCHEMA.exists() or SCHEMA.read_text() != found:
        Path(str(SCHEMA) + ".new").write_text(found)
    assert SCHEMA.read_text() == found, f"compare {SCHEMA.name} with {SCHEMA.name}.new"


async def test_the_statements_of_each_version_are_put_on_record(database_address: str) -> None:
    """test_former_versions.py compares later schemas with them. After a new migration: rename what this test writes."""
    path = RECORDED / f"{load_migrations()[-1].number:04}.json"
    if not path.exists():
        connection = await asyncpg.connect(database_address)
        text = json.dumps(await statements(connection), indent=1, ensure_ascii=False)
        await connection.close()
        Path(f"{path}.new").write_text(text + "\n")
    assert path.exists(), f"rename {path.name}.new, which this test has written, to {path.name}"
    assert len(json.loads(path.read_text())) > 100, "statements are no longer found where this looks for them"


async def test_replay_step_by_step_equals_replay_at_once(servers: Servers, database_address: str) -> None:
    """A rolling update applies migrations one release at a time."""
    name = database_address.rsplit("/", 1)[1] + "_steps"
    address = servers.postgres.address(name)
    await execute(servers.postgres.address("postgres"), f"create database {name}")
    migrations = load_migrations()
    for count in range(1, len(migrations) + 1):
        assert [m.number for m in await migrate(address, migrations[:count])] == [count]
    assert await migrate(address) == []
    assert dump(address) == dump(database_address)
    await execute(servers.postgres.address("postgres"), f"drop database {name}")


async def test_changed_migration_is_refused(database_address: str) -> None:
    migrations = load_migrations()
    changed = Migration(1, migrations[0].name, migrations[0].sql + "\n-- edited", 1)
    with pytest.raises(MigrationError, match="was changed after it was applied"):
        await migrate(database_address, [changed, *migrations[1:]])


async def test_failed_migration_leaves_nothing(database_address: str) -> None:
    migrations = load_migrations()
    broken = Migration(len(migrations) + 1, "broken", "create table half (id int); select 1/0;", 1)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_address, [*migrations, broken])
    connection = await asyncpg.connect(database_address)
    assert await connection.fetchval("select to_regclass('half')") is None
    await connection.close()


async def test_a_migration_that_waits_for_a_table_holds_nobody_up(
    database_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.migrate.LOCK_TIMEOUT", "200ms")
    migrations = load_migrations()
    altered = Migration(len(migrations) + 1, "altered", "alter table posts add column extra int", 1)
    user, other = await asyncpg.connect(database_address), await asyncpg.connect(database_address)
    in_use = user.transaction()
    await in_use.start()
    await user.fetch("select from posts")
    migrating = asyncio.create_task(migrate(database_address, [*migrations, altered]))
    async with asyncio.timeout(60):
        while not migrating.done() and not await other.fetchval(_WAITING):
            await asyncio.sleep(0.01)
        await other.fetch("select from posts")  # queues behind the migration, until that gives up its place
    assert not migrating.done()
    await in_use.rollback()
    assert await migrating == [altered]
    await user.close()
    await other.close()


_WAITING = "select exists (select from pg_locks where not granted and mode = 'AccessExclusiveLock')"


async def test_an_interrupted_index_is_built_again_while_another_process_migrates(database_address: str) -> None:
    migrations = load_migrations()
    sql = "-- compatible-from: 1\n-- no-transaction\ncreate index concurrently posts_edited on posts (edited_at);\n"
    indexed = Migration(len(migrations) + 1, "indexed", sql, 1)
    user = await asyncpg.connect(database_address)
    # What an interrupted build leaves behind: an index that is not valid.
    await user.execute("create index posts_edited on posts (edited_at)")
    await user.execute("update pg_index set indisvalid = false where indexrelid = 'posts_edited'::regclass")
    several = await asyncio.gather(*(migrate(database_address, [*migrations, indexed]) for _ in range(2)))
    assert sorted(map(len, several)) == [0, 1]
    assert await user.fetchval("select indisvalid from pg_index where indexrelid = 'posts_edited'::regclass")
    await user.close()


async def test_rows_are_changed_in_batches(database_address: str) -> None:
    migrations = load_migrations()
    first = "(select min(number) from schema_migrations where name <> 'seen')"
    batch = f"update schema_migrations set name = 'seen' where number = {first};"
    sql = f"-- compatible-from: 1\n-- in-batches\n{batch}\n"
    repeated = Migration(len(migrations) + 1, "repeated", sql, 1)
    assert await migrate(database_address, [*migrations, repeated]) == [repeated]
    connection = await asyncpg.connect(database_address)
    names = await connection.fetch("select name from schema_migrations order by number")
    assert {row["name"] for row in names[:-1]} == {"seen"}
    await connection.close()


@pytest.mark.parametrize("statement", ["create table a (id int);", "update a set b = 1; select 1;"])
def test_only_one_statement_is_repeated(tmp_path: Path, statement: str) -> None:
    (tmp_path / "0001_a.sql").write_text(f"-- compatible-from: 1\n-- in-batches\n{statement}\n")
    with pytest.raises(MigrationError, match="in-batches"):
        load_migrations(tmp_path)


async def test_hashtags_of_former_code_get_their_posts_audience(servers: Servers, database_address: str) -> None:
    """Those from before the migration, and those that old replicas write and change during an update."""
    name = database_address.rsplit("/", 1)[1] + "_tags"
    address = servers.postgres.address(name)
    await execute(servers.postgres.address("postgres"), f"create database {name}")
    migrations = load_migrations()
    await migrate(address, migrations[:16])
    connection = await asyncpg.connect(address)
    await connection.execute(_AUTHOR)
    for number in range(1_100):  # more than two batches
        await connection.execute(_PUBLISH_BEFORE_0017, f"before {number}", "only_me")
    await migrate(address, migrations[:17])
    await connection.execute(_PUBLISH_BEFORE_0017, "meanwhile", "only_me")
    await connection.execute("update posts set audience = 'public' where text in ('before 7', 'meanwhile')")
    await migrate(address, migrations)
    await connection.execute(_PUBLISH_BEFORE_0017, "afterwards", "public")
    await connection.execute("update posts set audience = 'public' where text = 'before 8'")
    assert await connection.fetchval(_DIFFERENT) == 0
    public = await connection.fetch(_PUBLIC)
    assert [row["text"] for row in public] == ["afterwards", "before 7", "before 8", "meanwhile"]
    await connection.close()
    await execute(servers.postgres.address("postgres"), f"drop database {name}")


_AUTHOR = """
insert into accounts (id, email, password_hash, created_at)
values ('00000000-0000-7000-8000-000000000001', 'ada@example.org', 'none', now())
"""
_PUBLISH_BEFORE_0017 = """
with created as (
    insert into posts (id, author_id, text, audience, created_at)
    select gen_random_uuid(), id, $1, $2, now() from accounts returning *
)
insert into post_hashtags (tag, created_at, post_id) select 'tag', created.created_at, created.id from created
"""
_DIFFERENT = """
select count(*) from posts join post_hashtags as tags on post_id = posts.id
where (tags.audience, tags.author_id, tags.list_id) is distinct from (posts.audience, posts.author_id, posts.list_id)
"""
_PUBLIC = """
select text from post_hashtags as tags join posts on posts.id = post_id where tags.audience = 'public' order by text
"""


async def test_hashtags_of_former_code_get_their_posts_list(servers: Servers, database_address: str) -> None:
    """Those from before the migration, and those that old replicas write and change during an update."""
    name = database_address.rsplit("/", 1)[1] + "_lists"
    address = servers.postgres.address(name)
    await execute(servers.postgres.address("postgres"), f"create database {name}")
    migrations = load_migrations()
    await migrate(address, migrations[:72])
    connection = await asyncpg.connect(address)
    await connection.execute(_AUTHOR)
    lists = await connection.fetch(_LISTS)
    await connection.executemany(_PUBLISH_BEFORE_0073, [(f"{number}", lists[0]["id"]) for number in range(1_100)])
    await migrate(address, migrations[:74])
    for text in ("meanwhile", "moved", "public"):
        await connection.execute(_PUBLISH_BEFORE_0073, text, lists[0]["id"])
    await connection.execute("update posts set list_id = $1 where text in ('7', 'moved')", lists[1]["id"])
    await connection.execute("update posts set audience = 'public', list_id = null where text in ('8', 'public')")
    await migrate(address, migrations)
    await connection.execute(_PUBLISH_BEFORE_0073, "afterwards", lists[0]["id"])
    await connection.execute("update posts set list_id = $1 where text = '9'", lists[1]["id"])
    assert await connection.fetchval(_DIFFERENT) == 0
    moved = await connection.fetch(_TAGGED_TO, lists[1]["id"])
    assert [row["text"] for row in moved] == ["7", "9", "moved"]
    await connection.close()
    await execute(servers.postgres.address("postgres"), f"drop database {name}")


_LISTS = """
insert into lists (id, owner_id, name, created_at)
select gen_random_uuid(), id, name, now() from accounts cross join unnest(array['one', 'other']) as name
returning id
"""
_PUBLISH_BEFORE_0073 = """
with created as (
    insert into posts (id, author_id, text, audience, list_id, created_at)
    select gen_random_uuid(), id, $1, 'list', $2, now() from accounts returning *
)
insert into post_hashtags (tag, created_at, post_id, audience, author_id)
select 'tag', created_at, id, audience, author_id from created
"""
_TAGGED_TO = """
select text from post_hashtags as tags join posts on posts.id = post_id where tags.list_id = $1 order by text
"""


@pytest.mark.parametrize("statement", ["create table a (id int);", "create index concurrently a on b (c); select 1;"])
def test_only_one_index_is_built_outside_of_a_transaction(tmp_path: Path, statement: str) -> None:
    (tmp_path / "0001_a.sql").write_text(f"-- compatible-from: 1\n-- no-transaction\n{statement}\n")
    with pytest.raises(MigrationError, match="no-transaction"):
        load_migrations(tmp_path)


async def test_code_and_database_of_different_ages(database_address: str) -> None:
    migrations = load_migrations()
    newer = Migration(len(migrations) + 1, "newer", "create table newer (id int)", len(migrations) + 1)
    connection = await asyncpg.connect(database_address)
    await check_compatible(connection, migrations)
    with pytest.raises(MigrationError, match="this code needs"):
        await check_compatible(connection, [*migrations, newer])
    await migrate(database_address, [*migrations, newer])
    with pytest.raises(MigrationError, match="needs code from migration"):
        await check_compatible(connection, migrations)
    newest = Migration(newer.number + 1, "newest", "create table newest (id int)", 1)
    await migrate(database_address, [*migrations, newer, newest])
    with pytest.raises(MigrationError, match="needs code from migration"):
        await check_compatible(connection, migrations)  # what comes later takes no demand back
    await connection.close()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0003_c.sql"], "0002 is missing"),
        (["1_a.sql"], "NNNN_name"),
    ],
)
def test_misnamed_migrations(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_text("-- compatible-from: 1\nselect 1;")
    with pytest.raises(MigrationError, match=message):
        load_migrations(tmp_path)


def test_migration_without_compatibility(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match="compatible-from"):
        load_migrations(tmp_path)
