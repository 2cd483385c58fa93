"""SQL of relationships. Sets of people (blocks, mutes, ...) have the same shape, so they share their statements."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.relationships.model import Counts, PeopleList, Standing, Tie
from features.relationships.visibility import blocked, close_friend, connected, muted

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""Where a list starts whose newest item comes first."""


def position(page: PageRequest) -> tuple[datetime, UUID]:
    """The sort key after which a page starts."""
    return (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """A table of (owner, member, created_at). The names are ours, never input."""

    table: str
    owner: str
    member: str

    async def add(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> bool:
        """False: the member was there already."""
        sql = f"insert into {self.table} ({self.owner}, {self.member}, created_at) values ($1, $2, $3)"
        return await uow.execute(f"{sql} on conflict do nothing", owner_id, member_id, now) == "INSERT 0 1"

    async def remove(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID) -> bool:
        """False: the member was not there."""
        sql = f"delete from {self.table} where {self.owner} = $1 and {self.member} = $2"
        return await uow.execute(sql, owner_id, member_id) == "DELETE 1"

    async def count(self, uow: UnitOfWork, owner_id: UUID) -> int:
        sql = f"select count(*) from {self.table} where {self.owner} = $1"
        return int(await uow.fetchval(sql, owner_id))

    async def page(self, uow: UnitOfWork, owner_id: UUID, page: PageRequest, *, hidden_from: UUID | None) -> list[Tie]:
        """Up to `limit + 1` members, newest first, without those whom a block parts from `hidden_from`."""
        sql = f"""
        select {self.member} as person_id, created_at from {self.table}
        where {self.owner} = $1 and (created_at, {self.member}) < ($2, $3) and not {blocked("$4::uuid", self.member)}
        order by created_at desc, {self.member} desc limit $5
        """
        rows = await uow.fetch(sql, owner_id, *position(page), hidden_from, page.limit + 1)
        return [Tie(row["person_id"], row["created_at"]) for row in rows]


AUDIENCE = PeopleSet("connections", "owner_id", "viewer_id")
FOLLOWING = PeopleSet("connections", "viewer_id", "owner_id")
BLOCKS = PeopleSet("blocks", "blocker_id", "blocked_id")
MUTES = PeopleSet("mutes", "muter_id", "muted_id")
CLOSE_FRIENDS = PeopleSet("close_friends", "owner_id", "member_id")
LIST_MEMBERS = PeopleSet("list_members", "list_id", "member_id")


async def enrol(uow: UnitOfWork, account_id: UUID) -> None:
    await uow.execute("insert into connection_counts (account_id) values ($1)", account_id)


_LOCK = """
select account_id, audience, following from connection_counts where account_id = any($1::uuid[])
order by account_id for no key update
"""


async def lock(uow: UnitOfWork, *people: UUID) -> dict[UUID, Counts]:
    """Lock these people's ties, always in the order of their ids. Those who do not exist are missing."""
    rows = await uow.fetch(_LOCK, list(people))
    return {row["account_id"]: Counts(row["audience"], row["following"]) for row in rows}


_STANDING = f"""
select {connected("$1", "$2")} as follows_me, {connected("$2", "$1")} as followed_by_me,
    {muted("$1", "$2")} as muted, {close_friend("$1", "$2")} as close_friend, {blocked("$1", "$2")} as blocked,
    audience, following
from connection_counts where account_id = $2::uuid
""".replace("$1", "$1::uuid")


async def standing(uow: UnitOfWork, me: UUID | None, other: UUID) -> tuple[Standing, Counts, bool] | None:
    """How I stand to the other, the other's counts, and whether a block parts us. None: the other does not exist."""
    row = await uow.fetchrow(_STANDING, me, other)
    if row is None:
        return None
    flags = Standing(row["follows_me"], row["followed_by_me"], row["muted"], row["close_friend"])
    return flags, Counts(row["audience"], row["following"]), row["blocked"]


async def blocked_between(uow: UnitOfWork, a: UUID, b: UUID) -> bool:
    return bool(await uow.fetchval(f"select {blocked('$1::uuid', '$2::uuid')}", a, b))


_CONNECT = """
with tie as (
    insert into connections (owner_id, viewer_id, created_at) values ($1, $2, $3)
    on conflict do nothing returning owner_id, viewer_id
)
update connection_counts set
    audience = audience + (account_id = owner_id)::int,
    following = following + (account_id = viewer_id)::int
from tie where account_id in (owner_id, viewer_id)
"""

_DISCONNECT = """
with tie as (
    delete from connections where owner_id = $1 and viewer_id = $2 returning owner_id, viewer_id
), no_longer_close as (
    delete from close_friends using tie where close_friends.owner_id = tie.owner_id and member_id = viewer_id
), no_longer_listed as (
    delete from list_members using tie, lists
    where lists.owner_id = tie.owner_id and list_id = lists.id and member_id = viewer_id
)
update connection_counts set
    audience = audience - (account_id = owner_id)::int,
    following = following - (account_id = viewer_id)::int
from tie where account_id in (owner_id, viewer_id)
"""


async def connect(uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, now: datetime) -> bool:
    """False: they were connected. The caller holds the lock of both."""
    return await uow.execute(_CONNECT, owner_id, viewer_id, now) == "UPDATE 2"


async def disconnect(uow: UnitOfWork, owner_id: UUID, viewer_id: UUID) -> bool:
    """False: they were not connected. The caller holds the lock of both."""
    return await uow.execute(_DISCONNECT, owner_id, viewer_id) == "UPDATE 2"


_UNLIST = """
with no_longer_close as (
    delete from close_friends
    where (owner_id = $1 and member_id = $2) or (owner_id = $2 and member_id = $1)
)
delete from list_members using lists
where list_id = lists.id and ((owner_id = $1 and member_id = $2) or (owner_id = $2 and member_id = $1))
"""


async def unlist(uow: UnitOfWork, a: UUID, b: UUID) -> None:
    """Take each off the other's close friends and lists."""
    await uow.execute(_UNLIST, a, b)


_CREATE_LIST = """
insert into lists (id, owner_id, name, created_at) values ($1, $2, $3, $4) on conflict do nothing
"""
_LISTS = """
select id, name, created_at, (select count(*) from list_members where list_id = lists.id) as members
from lists where owner_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4
"""


async def create_list(uow: UnitOfWork, list_id: UUID, owner_id: UUID, name: str, now: datetime) -> bool:
    """False: the owner has a list of this name."""
    return await uow.execute(_CREATE_LIST, list_id, owner_id, name, now) == "INSERT 0 1"


async def count_lists(uow: UnitOfWork, owner_id: UUID) -> int:
    return int(await uow.fetchval("select count(*) from lists where owner_id = $1", owner_id))


async def lists(uow: UnitOfWork, owner_id: UUID, page: PageRequest) -> list[PeopleList]:
    rows = await uow.fetch(_LISTS, owner_id, *position(page), page.limit + 1)
    return [PeopleList(row["id"], row["name"], row["created_at"], row["members"]) for row in rows]


async def owns_list(uow: UnitOfWork, owner_id: UUID, list_id: UUID, *, keep: bool = False) -> bool:
    """With `keep` nobody deletes the list before the unit of work ends."""
    lock = "for key share" if keep else ""
    sql = f"select exists (select from lists where id = $1 and owner_id = $2 {lock})"
    return bool(await uow.fetchval(sql, list_id, owner_id))


_DELETE_LIST = """
with deleted as (delete from lists where id = $1 and owner_id = $2 returning id)
select array(select member_id from list_members where list_id = deleted.id) as members from deleted
"""


async def delete_list(uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> list[UUID] | None:
    """Who was on it; None: the owner has no such list."""
    row = await uow.fetchrow(_DELETE_LIST, list_id, owner_id)
    return None if row is None else [*row["members"]]
