"""SQL of relationships. Sets of people (blocks, mutes, ...) have the same columns and share their statements."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.bounded_lists import Found, looked_at, split, with_bound
from features.paging import PageRequest
from features.relationships.model import AccountRelationship, Counts, Pair, PeopleList, RelationshipState
from features.relationships.queries import audience_size, following_size, own_list
from features.relationships.visibility import apart, close_friend, connected, muted

if TYPE_CHECKING:
    from asyncpg import Record

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""The sort key before the first item of a newest-first list."""


def position(page: PageRequest) -> tuple[datetime, UUID]:
    """Returns the sort key after which a page starts."""
    return (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL


class PeopleSet:
    """A table of (owner, member, created_at). The names are constants, never input."""

    def __init__(self, table: str, owner: str, member: str) -> None:
        self._add = f"insert into {table} ({owner}, {member}, created_at) values ($1, $2, $3) on conflict do nothing"
        self._remove = f"delete from {table} where {owner} = $1 and {member} = $2"
        self._count = f"select count(*) from {table} where {owner} = $1"
        in_list = f"{table} where {owner} = $1 and (created_at, {member}) < ($2, $3)"
        shown = f"select true where not {apart('$4::uuid', member)}"
        order = f"created_at desc, {member} desc"
        people = f"select {member} as id, created_at from visible"
        self._page = f"""
with {looked_at(table, in_list, order=order, shown=shown, limit="$5")}
{with_bound(people, at="created_at", id=member, order="shown.created_at desc, shown.id desc")}
"""

    async def add(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> bool:
        """Adds a member. Returns False if it was there already."""
        return await uow.execute(self._add, owner_id, member_id, now) == "INSERT 0 1"

    async def remove(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID) -> bool:
        """Removes a member. Returns False if it was not there."""
        return await uow.execute(self._remove, owner_id, member_id) == "DELETE 1"

    async def count(self, uow: UnitOfWork, owner_id: UUID) -> int:
        return int(await uow.fetchval(self._count, owner_id))

    async def page(self, uow: UnitOfWork, owner_id: UUID, page: PageRequest, *, hidden_from: UUID | None) -> Found:
        """Returns up to `limit + 1` members (id, created_at), newest first, without those who are apart from
        `hidden_from`."""
        return split(await uow.fetch(self._page, owner_id, *position(page), hidden_from, page.limit + 1))


AUDIENCE = PeopleSet("connections", "owner_id", "viewer_id")
FOLLOWING = PeopleSet("connections", "viewer_id", "owner_id")
BLOCKS = PeopleSet("blocks", "blocker_id", "blocked_id")
MUTES = PeopleSet("mutes", "muter_id", "muted_id")
CLOSE_FRIENDS = PeopleSet("close_friends", "owner_id", "member_id")
LIST_MEMBERS = PeopleSet("list_members", "list_id", "member_id")


async def add_account(uow: UnitOfWork, account_id: UUID) -> None:
    await uow.execute("insert into connection_counts (account_id) values ($1)", account_id)


_LOCK = """
select from connection_counts where account_id = any($1::uuid[]) order by account_id for no key update
"""
# The lock of the pair comes first: the rows of a join are locked when the join is done.
_LOCK_PAIR = """
with pair as materialized (select pg_advisory_xact_lock($1))
select from connection_counts cross join pair where account_id = any($2::uuid[]) order by account_id
for no key update of connection_counts
"""


async def lock(uow: UnitOfWork, account_id: UUID) -> None:
    """Locks what an account changes of its own: its counts, and sets of people with a limit."""
    await uow.execute(_LOCK, [account_id])


async def lock_pair(uow: UnitOfWork, me: UUID, other: UUID) -> None:
    """Locks the relationship of two accounts."""
    await uow.execute("select pg_advisory_xact_lock($1)", _pair_key(me, other))


async def lock_pair_and_own(uow: UnitOfWork, me: UUID, other: UUID, *, both: bool) -> None:
    """Locks the relationship of two accounts, then the first one, or `both` in the order of their ids."""
    await uow.execute(_LOCK_PAIR, _pair_key(me, other), [me, other] if both else [me])


def _pair_key(a: UUID, b: UUID) -> int:
    """Returns the key of an advisory lock. Two pairs with the same key, which are rare, would wait for each other."""
    pair = min(a, b).bytes + max(a, b).bytes
    return int.from_bytes(blake2b(pair, digest_size=8).digest(), signed=True)


_STATE = f"""
{connected("$1", "$2")} as follows_me, {connected("$2", "$1")} as followed_by_me,
{muted("$1", "$2")} as muted, {close_friend("$1", "$2")} as close_friend, {apart("$1", "$2")} as apart,
{audience_size("$2")} as audience, {following_size("$2")} as following
"""
_RELATIONSHIP = f"select {_STATE} from connection_counts where account_id = $2".replace("$1", "$1::uuid")
_PAIR = f"""
select {_STATE}, {audience_size("$1")} as my_audience, {following_size("$1")} as my_following
from connection_counts where account_id = $2
"""


async def relationship(uow: UnitOfWork, me: UUID | None, other: UUID) -> AccountRelationship | None:
    """Returns the relationship of `me` to the other account, None if that does not exist."""
    row = await uow.fetchrow(_RELATIONSHIP, me, other)
    if row is None:
        return None
    return AccountRelationship(_state(row), Counts(row["audience"], row["following"]), row["apart"])


async def pair(uow: UnitOfWork, me: UUID, other: UUID) -> Pair | None:
    """Returns the relationship of two accounts and the counts of both, None if the other does not exist."""
    row = await uow.fetchrow(_PAIR, me, other)
    if row is None:
        return None
    mine, theirs = Counts(row["my_audience"], row["my_following"]), Counts(row["audience"], row["following"])
    return Pair(mine, theirs, _state(row), row["apart"])


def _state(row: "Record") -> RelationshipState:
    return RelationshipState(row["follows_me"], row["followed_by_me"], row["muted"], row["close_friend"])


COUNT_SHARDS = 16
"""An account's connections are counted in its own row by itself, and in a shard by everybody else. Few, since readers
add them up; enough that people who connect with the same account at the same moment seldom share one."""

_COUNT = """
counted as (
    update connection_counts set
        audience = audience + {sign} * (owner_id = account_id)::int,
        following = following + {sign} * (viewer_id = account_id)::int
    from connection where account_id = {by}
)
insert into connection_count_shards as counts (account_id, shard, audience, following)
select other, {shard}, {sign} * (other = owner_id)::int, {sign} * (other = viewer_id)::int
from connection cross join unnest(array[owner_id, viewer_id]) as other where other <> {by}
on conflict (account_id, shard) do update set
    audience = counts.audience + excluded.audience, following = counts.following + excluded.following
"""

_CONNECT = f"""
with connection as (
    insert into connections (owner_id, viewer_id, created_at) values ($1, $2, $3)
    on conflict do nothing returning owner_id, viewer_id
), {_COUNT.format(sign="1", by="$4", shard="$5")}
"""

_DISCONNECT = f"""
with connection as (
    delete from connections where owner_id = $1 and viewer_id = $2 returning owner_id, viewer_id
), no_longer_close as (
    delete from close_friends using connection
    where close_friends.owner_id = connection.owner_id and member_id = viewer_id
), no_longer_listed as (
    delete from list_members using connection, lists
    where lists.owner_id = connection.owner_id and list_id = lists.id and member_id = viewer_id
), {_COUNT.format(sign="-1", by="$3", shard="$4")}
"""


async def connect(uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, by: UUID, now: datetime) -> bool:
    """Adds the viewer to the owner's audience. Returns False if it was there. `by` is the one of the two that is
    locked, with the pair."""
    return await uow.execute(_CONNECT, owner_id, viewer_id, now, by, _shard(by)) == "INSERT 0 1"


async def disconnect(uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, by: UUID) -> bool:
    """Removes the viewer from the owner's audience. Returns False if it was not there. `by` as in `connect`."""
    return await uow.execute(_DISCONNECT, owner_id, viewer_id, by, _shard(by)) == "INSERT 0 1"


def _shard(by: UUID) -> int:
    """Returns the shard in which an account counts what it changes for others."""
    return by.int % COUNT_SHARDS


_CONNECTED_ACCOUNTS = """
select viewer_id as id from connections where owner_id = $1
union select owner_id from connections where viewer_id = $1 limit $2
"""

# Rows are locked in the order of their keys, so that two erasures do not wait for each other in a circle.
_DISCONNECT_ALL = """
with ended as materialized (
    select owner_id, viewer_id from connections
    where (owner_id = $1 and viewer_id = any($2::uuid[])) or (viewer_id = $1 and owner_id = any($2::uuid[]))
    order by owner_id, viewer_id for update
), gone as (
    delete from connections using ended
    where connections.owner_id = ended.owner_id and connections.viewer_id = ended.viewer_id
    returning connections.owner_id, connections.viewer_id
), counted as (
    update connection_counts set
        audience = audience - (select count(*) from gone where owner_id = $1),
        following = following - (select count(*) from gone where viewer_id = $1)
    where account_id = $1
), counted_for_others as (
    insert into connection_count_shards as counts (account_id, shard, audience, following)
    select other, $3, -count(*) filter (where other = owner_id), -count(*) filter (where other = viewer_id)
    from gone cross join unnest(array[owner_id, viewer_id]) as other where other <> $1
    group by other order by other
    on conflict (account_id, shard) do update set
        audience = counts.audience + excluded.audience, following = counts.following + excluded.following
)
select owner_id, viewer_id from gone
"""


async def connected_accounts(uow: UnitOfWork, account_id: UUID, limit: int) -> list[UUID]:
    """Returns up to `limit` accounts that an account is connected with, in either direction."""
    return [row["id"] for row in await uow.fetch(_CONNECTED_ACCOUNTS, account_id, limit)]


async def disconnect_all(uow: UnitOfWork, account_id: UUID, others: list[UUID]) -> "list[Record]":
    """Ends every connection of an account with the others. Returns the ended ones: `owner_id`, `viewer_id`. The
    account is locked."""
    return await uow.fetch(_DISCONNECT_ALL, account_id, others, _shard(account_id))


_REMOVE_FROM_CIRCLES = """
with no_longer_close as (
    delete from close_friends
    where (owner_id = $1 and member_id = $2) or (owner_id = $2 and member_id = $1)
)
delete from list_members using lists
where list_id = lists.id and ((owner_id = $1 and member_id = $2) or (owner_id = $2 and member_id = $1))
"""


async def remove_from_circles(uow: UnitOfWork, a: UUID, b: UUID) -> None:
    """Removes each from the other's close friends and lists."""
    await uow.execute(_REMOVE_FROM_CIRCLES, a, b)


_CREATE_LIST = """
insert into lists (id, owner_id, name, created_at) values ($1, $2, $3, $4) on conflict do nothing
"""
_LIST = f"""
select id, name, created_at,
    (select count(*) from list_members where list_id = lists.id and not {inactive("member_id")}) as members
from lists
"""
_LISTS = f"""
{_LIST} where owner_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4
"""


async def create_list(uow: UnitOfWork, list_id: UUID, owner_id: UUID, name: str, now: datetime) -> bool:
    """Inserts a list. Returns False if the owner has a list of this name."""
    return await uow.execute(_CREATE_LIST, list_id, owner_id, name, now) == "INSERT 0 1"


async def count_lists(uow: UnitOfWork, owner_id: UUID) -> int:
    return int(await uow.fetchval("select count(*) from lists where owner_id = $1", owner_id))


async def lists(uow: UnitOfWork, owner_id: UUID, page: PageRequest) -> list[PeopleList]:
    rows = await uow.fetch(_LISTS, owner_id, *position(page), page.limit + 1)
    return [PeopleList(row["id"], row["name"], row["created_at"], row["members"]) for row in rows]


async def list_of(uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> PeopleList | None:
    row = await uow.fetchrow(f"{_LIST} where owner_id = $1 and id = $2", owner_id, list_id)
    return PeopleList(**row) if row else None


_OWNS_LIST = "select exists (select from lists where id = $1 and owner_id = $2)"
_KEEP_LIST = f"select {own_list('$1', '$2')}"


async def owns_list(uow: UnitOfWork, owner_id: UUID, list_id: UUID, *, keep: bool = False) -> bool:
    """Returns whether the list is the owner's. `keep` locks it against deletion until the unit of work ends."""
    return bool(await uow.fetchval(_KEEP_LIST if keep else _OWNS_LIST, list_id, owner_id))


_DELETE_LIST = """
with deleted as (delete from lists where id = $1 and owner_id = $2 returning id)
select array(select member_id from list_members where list_id = deleted.id) as members from deleted
"""


async def delete_list(uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> list[UUID] | None:
    """Deletes a list. Returns who was on it, None if the owner has no such list."""
    row = await uow.fetchrow(_DELETE_LIST, list_id, owner_id)
    return None if row is None else [*row["members"]]
