"""SQL of relationships. Sets of people (blocks, mutes, ...) have the same columns and share their statements."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.paging import PageRequest
from features.relationships.model import AccountRelationship, Counts, ListedPerson, PeopleList, RelationshipState
from features.relationships.visibility import apart, close_friend, connected, muted

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""The sort key before the first item of a newest-first list."""


def position(page: PageRequest) -> tuple[datetime, UUID]:
    """Returns the sort key after which a page starts."""
    return (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """A table of (owner, member, created_at). The names are constants, never input."""

    table: str
    owner: str
    member: str

    async def add(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> bool:
        """Adds a member. Returns False if it was there already."""
        sql = f"insert into {self.table} ({self.owner}, {self.member}, created_at) values ($1, $2, $3)"
        return await uow.execute(f"{sql} on conflict do nothing", owner_id, member_id, now) == "INSERT 0 1"

    async def remove(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID) -> bool:
        """Removes a member. Returns False if it was not there."""
        sql = f"delete from {self.table} where {self.owner} = $1 and {self.member} = $2"
        return await uow.execute(sql, owner_id, member_id) == "DELETE 1"

    async def count(self, uow: UnitOfWork, owner_id: UUID) -> int:
        sql = f"select count(*) from {self.table} where {self.owner} = $1"
        return int(await uow.fetchval(sql, owner_id))

    async def page(
        self, uow: UnitOfWork, owner_id: UUID, page: PageRequest, *, hidden_from: UUID | None
    ) -> list[ListedPerson]:
        """Returns up to `limit + 1` members, newest first, without those who are apart from `hidden_from`."""
        sql = f"""
        select {self.member} as person_id, created_at from {self.table}
        where {self.owner} = $1 and (created_at, {self.member}) < ($2, $3) and not {apart("$4::uuid", self.member)}
        order by created_at desc, {self.member} desc limit $5
        """
        rows = await uow.fetch(sql, owner_id, *position(page), hidden_from, page.limit + 1)
        return [ListedPerson(row["person_id"], row["created_at"]) for row in rows]


AUDIENCE = PeopleSet("connections", "owner_id", "viewer_id")
FOLLOWING = PeopleSet("connections", "viewer_id", "owner_id")
BLOCKS = PeopleSet("blocks", "blocker_id", "blocked_id")
MUTES = PeopleSet("mutes", "muter_id", "muted_id")
CLOSE_FRIENDS = PeopleSet("close_friends", "owner_id", "member_id")
LIST_MEMBERS = PeopleSet("list_members", "list_id", "member_id")


async def add_account(uow: UnitOfWork, account_id: UUID) -> None:
    await uow.execute("insert into connection_counts (account_id) values ($1)", account_id)


_LOCK = """
select account_id, audience, following from connection_counts where account_id = any($1::uuid[])
order by account_id for no key update
"""


async def lock(uow: UnitOfWork, *people: UUID) -> dict[UUID, Counts]:
    """Locks accounts in the order of their ids. Returns the counts of those that exist."""
    rows = await uow.fetch(_LOCK, list(people))
    return {row["account_id"]: Counts(row["audience"], row["following"]) for row in rows}


_RELATIONSHIP = f"""
select {connected("$1", "$2")} as follows_me, {connected("$2", "$1")} as followed_by_me,
    {muted("$1", "$2")} as muted, {close_friend("$1", "$2")} as close_friend, {apart("$1", "$2")} as apart,
    audience, following
from connection_counts where account_id = $2::uuid
""".replace("$1", "$1::uuid")


async def relationship(uow: UnitOfWork, me: UUID | None, other: UUID) -> AccountRelationship | None:
    """Returns the relationship of `me` to the other account, None if that does not exist."""
    row = await uow.fetchrow(_RELATIONSHIP, me, other)
    if row is None:
        return None
    state = RelationshipState(row["follows_me"], row["followed_by_me"], row["muted"], row["close_friend"])
    return AccountRelationship(state, Counts(row["audience"], row["following"]), row["apart"])


_CONNECT = """
with connection as (
    insert into connections (owner_id, viewer_id, created_at) values ($1, $2, $3)
    on conflict do nothing returning owner_id, viewer_id
)
update connection_counts set
    audience = audience + (account_id = owner_id)::int,
    following = following + (account_id = viewer_id)::int
from connection where account_id in (owner_id, viewer_id)
"""

_DISCONNECT = """
with connection as (
    delete from connections where owner_id = $1 and viewer_id = $2 returning owner_id, viewer_id
), no_longer_close as (
    delete from close_friends using connection
    where close_friends.owner_id = connection.owner_id and member_id = viewer_id
), no_longer_listed as (
    delete from list_members using connection, lists
    where lists.owner_id = connection.owner_id and list_id = lists.id and member_id = viewer_id
)
update connection_counts set
    audience = audience - (account_id = owner_id)::int,
    following = following - (account_id = viewer_id)::int
from connection where account_id in (owner_id, viewer_id)
"""


async def connect(uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, now: datetime) -> bool:
    """Adds the viewer to the owner's audience. Returns False if it was there. The caller has locked both."""
    return await uow.execute(_CONNECT, owner_id, viewer_id, now) == "UPDATE 2"


async def disconnect(uow: UnitOfWork, owner_id: UUID, viewer_id: UUID) -> bool:
    """Removes the viewer from the owner's audience. Returns False if it was not there. The caller has locked both."""
    return await uow.execute(_DISCONNECT, owner_id, viewer_id) == "UPDATE 2"


_CONNECTED_ACCOUNTS = """
select viewer_id as id from connections where owner_id = $1
union select owner_id from connections where viewer_id = $1 limit $2
"""

_DISCONNECT_ALL = """
with gone as (
    delete from connections
    where (owner_id = $1 and viewer_id = any($2::uuid[])) or (viewer_id = $1 and owner_id = any($2::uuid[]))
    returning owner_id, viewer_id
), changes as (
    select account_id, sum(audience) as audience, sum(following) as following
    from (
        select owner_id as account_id, 1 as audience, 0 as following from gone
        union all select viewer_id, 0, 1 from gone
    ) as ended group by account_id
), counted as (
    update connection_counts as counts
    set audience = counts.audience - changes.audience, following = counts.following - changes.following
    from changes where counts.account_id = changes.account_id
)
select owner_id, viewer_id from gone
"""


async def connected_accounts(uow: UnitOfWork, account_id: UUID, limit: int) -> list[UUID]:
    """Returns up to `limit` accounts that an account is connected with, in either direction."""
    return [row["id"] for row in await uow.fetch(_CONNECTED_ACCOUNTS, account_id, limit)]


async def disconnect_all(uow: UnitOfWork, account_id: UUID, others: list[UUID]) -> list[tuple[UUID, UUID]]:
    """Ends every connection of an account with the others. Returns the ended ones as (owner, viewer). The caller has
    locked all of them."""
    rows = await uow.fetch(_DISCONNECT_ALL, account_id, others)
    return [(row["owner_id"], row["viewer_id"]) for row in rows]


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
_LISTS = f"""
select id, name, created_at,
    (select count(*) from list_members where list_id = lists.id and not {inactive("member_id")}) as members
from lists where owner_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4
"""


async def create_list(uow: UnitOfWork, list_id: UUID, owner_id: UUID, name: str, now: datetime) -> bool:
    """Inserts a list. Returns False if the owner has a list of this name."""
    return await uow.execute(_CREATE_LIST, list_id, owner_id, name, now) == "INSERT 0 1"


async def count_lists(uow: UnitOfWork, owner_id: UUID) -> int:
    return int(await uow.fetchval("select count(*) from lists where owner_id = $1", owner_id))


async def lists(uow: UnitOfWork, owner_id: UUID, page: PageRequest) -> list[PeopleList]:
    rows = await uow.fetch(_LISTS, owner_id, *position(page), page.limit + 1)
    return [PeopleList(row["id"], row["name"], row["created_at"], row["members"]) for row in rows]


async def owns_list(uow: UnitOfWork, owner_id: UUID, list_id: UUID, *, keep: bool = False) -> bool:
    """Returns whether the list is the owner's. `keep` locks it against deletion until the unit of work ends."""
    lock = "for key share" if keep else ""
    sql = f"select exists (select from lists where id = $1 and owner_id = $2 {lock})"
    return bool(await uow.fetchval(sql, list_id, owner_id))


_DELETE_LIST = """
with deleted as (delete from lists where id = $1 and owner_id = $2 returning id)
select array(select member_id from list_members where list_id = deleted.id) as members from deleted
"""


async def delete_list(uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> list[UUID] | None:
    """Deletes a list. Returns who was on it, None if the owner has no such list."""
    row = await uow.fetchrow(_DELETE_LIST, list_id, owner_id)
    return None if row is None else [*row["members"]]
