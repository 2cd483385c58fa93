"""SQL of links to posts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.paging import PageRequest
from features.posts.queries import kept_post, seen_post
from features.posts.views import Row, after, cursor_parts

_LOCK = "select pg_advisory_xact_lock(hashtextextended('share_links:' || $1::uuid::text, 0))"
_COUNT = "select count(*) from share_links where account_id = $1 and expires_at > $2"


async def lock(uow: UnitOfWork, account_id: UUID, now: datetime) -> int:
    """Returns how many links an account has that have not expired; nobody adds one until the unit of work ends."""
    await uow.execute(_LOCK, account_id)
    return int(await uow.fetchval(_COUNT, account_id, now))


# The lock keeps the post until the commit: the event of its deletion then finds the link.
_INSERT = f"""
insert into share_links (id, account_id, post_id, created_at, expires_at)
select $1, $2, $3, $4, $5 where {kept_post("$3")} and {seen_post("$3", "$2::uuid")} is not null
"""


async def insert(
    uow: UnitOfWork, link_id: UUID, account_id: UUID, post_id: UUID, now: datetime, expires_at: datetime
) -> bool:
    """Inserts a link. Returns False if the account may not see the post, or there is none."""
    return await uow.execute(_INSERT, link_id, account_id, post_id, now, expires_at) == "INSERT 0 1"


_OF_ACCOUNT = "select id, post_id, created_at, expires_at from share_links where account_id = $1 and expires_at > $2"


async def find(uow: UnitOfWork, account_id: UUID, link_id: UUID, now: datetime) -> Row | None:
    """Returns one of an account's links."""
    return await uow.fetchrow(f"{_OF_ACCOUNT} and id = $3", account_id, now, link_id)


_AFTER = f"and {after('$3', '$4', key='created_at, id')} order by created_at desc, id desc limit $5"
_PAGE = f"{_OF_ACCOUNT} {_AFTER}"
_PAGE_OF_POST = f"{_OF_ACCOUNT} and post_id = $6 {_AFTER}"


async def of_account(
    uow: UnitOfWork, account_id: UUID, post_id: UUID | None, page: PageRequest, now: datetime
) -> list[Any]:
    """Returns an account's links that have not expired, newest first, one more than the page holds; only those to a
    post, if it is given."""
    selected = (account_id, now, *cursor_parts(page.cursor), page.limit + 1)
    if post_id is None:
        return [*await uow.fetch(_PAGE, *selected)]
    return [*await uow.fetch(_PAGE_OF_POST, *selected, post_id)]


async def delete(uow: UnitOfWork, account_id: UUID, link_id: UUID) -> UUID | None:
    """Deletes a link. Returns its post, None if the account has no such link."""
    sql = "delete from share_links where account_id = $1 and id = $2 returning post_id"
    found: UUID | None = await uow.fetchval(sql, account_id, link_id)
    return found


_POST = f"""
select post_id from share_links as links
where id = $1 and expires_at > $2 and not {inactive("links.account_id")}
    and {seen_post("links.post_id", "links.account_id")} is not null
"""


async def post_of(uow: UnitOfWork, link_id: UUID, now: datetime) -> UUID | None:
    """Returns the post of a link, while it has not expired and whoever made it may see the post."""
    found: UUID | None = await uow.fetchval(_POST, link_id, now)
    return found


_FORGET = """
delete from share_links where ctid = any(array(select ctid from share_links where post_id = $1 limit $2 for update))
"""


async def forget(uow: UnitOfWork, post_id: UUID, limit: int) -> bool:
    """Deletes up to `limit` links to a post that is deleted. Returns whether there may be more."""
    return await uow.execute(_FORGET, post_id, limit) == f"DELETE {limit}"
