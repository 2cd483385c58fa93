"""Many accounts at once, for tests of limits and long lists: inserted into the database, without log-ins."""

from datetime import datetime

from cluster.postgres import UnitOfWork
from tests.support.environment import Environment

_PEOPLE = """
with made as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), $1 || number || '@example.org', 'none', $3 from generate_series(1, $2::int) as number
    returning id, split_part(email, '@', 1) as username
), named as (
    insert into profiles (account_id, username, name, created_at, updated_at)
    select id, username, initcap(username), $3, $3 from made returning account_id, username
), enrolled as (
    insert into connection_counts (account_id) select id from made
)
select username from named
"""

_FRIENDS = """
with others as (
    select account_id as id from profiles where username = any($2::text[])
), tied as (
    insert into connections (owner_id, viewer_id, created_at)
    select id, $1::uuid, $3::timestamptz from others union all select $1, id, $3 from others
)
update connection_counts set audience = audience + tie.more, following = following + tie.more
from (select $1::uuid as id, (select count(*) from others)::int as more union all select id, 1 from others) as tie
where account_id = tie.id
"""

_WRONG = """
with counted as (
    select account_id, sum(audience) as audience, sum(following) as following from (
        select account_id, audience, following from connection_counts
        union all select account_id, audience, following from connection_count_shards
    ) as parts group by account_id
)
select count(*) from counted where
    audience <> (select count(*) from connections where owner_id = account_id)
    or following <> (select count(*) from connections where viewer_id = account_id)
"""


async def add_people(environment: Environment, size: int, prefix: str = "person") -> list[str]:
    """Inserts `size` accounts with profiles. Returns their usernames: the prefix and a number."""
    async with environment.platform.database.unit_of_work() as uow:
        rows = await uow.fetch(_PEOPLE, prefix, size, environment.clock())
        await uow.commit()
    return sorted((row["username"] for row in rows), key=lambda name: int(name.removeprefix(prefix)))


async def befriend(uow: UnitOfWork, account_id: str, usernames: list[str], since: datetime) -> None:
    """Makes an account the friend of all these people."""
    await uow.execute(_FRIENDS, account_id, usernames, since)


async def wrong_counts(environment: Environment) -> int:
    """Returns how many accounts have other numbers of connections than connections."""
    return int(await environment.platform.database.pool.fetchval(_WRONG))
