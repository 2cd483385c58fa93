"""SQL of saved posts, for the slice of collections, which decides what is saved. An account reads and changes its own
alone; of the posts it sees those that the rule of posts shows it at that moment.

The table is of this slice since every view of a post says whether the reader has saved it."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.posts.queries import kept_post, listed_posts, seen_post
from features.posts.views import Row, after, cursor_parts

# The lock keeps the post until the commit: the event of its deletion then finds what was saved.
_SAVE = f"""
insert into saved_posts (account_id, post_id, saved_at)
select $1, $2, $3 where {kept_post("$2")} and {seen_post("$2", "$1::uuid")} is not null
on conflict do nothing returning post_id
"""


async def save(uow: UnitOfWork, account_id: UUID, post_id: UUID, now: datetime) -> bool:
    """Saves a post that the account may see. Returns False if it was saved already, or is none of these."""
    return await uow.fetchval(_SAVE, account_id, post_id, now) is not None


async def unsave(uow: UnitOfWork, account_id: UUID, post_id: UUID) -> bool:
    """Removes a post from an account's saved posts, and so from its collections. Returns whether it was there."""
    sql = "delete from saved_posts where account_id = $1 and post_id = $2"
    return await uow.execute(sql, account_id, post_id) == "DELETE 1"


def saved_entry(account: str, post: str) -> str:
    """Returns a query of an account's saved post (account_id, post_id, saved_at): no row if it is not saved."""
    return f"select * from saved_posts where account_id = {account} and post_id = {post}"


def listed_entries(entries: str, listed_at: str) -> str:
    """Returns a statement of the posts that the account $1 may see, the last listed first. `entries` is a query of
    (account_id, post_id) and the column `listed_at` names. $2 and $3 are the cursor, $4 is how many."""
    page = f"""
select entries.post_id as id, entries.{listed_at} as listed_at from ({entries}) as entries
where {seen_post("entries.post_id", "$1::uuid")} is not null
    and {after("$2", "$3", key=f"entries.{listed_at}, entries.post_id")}
order by entries.{listed_at} desc, entries.post_id desc limit $4
"""
    return listed_posts(page, "$1::uuid")


_SAVED = listed_entries("select * from saved_posts where account_id = $1", "saved_at")


async def saved(uow: UnitOfWork, account_id: UUID, page: PageRequest) -> list[Row]:
    """Returns an account's saved posts as far as it may see them, the last saved first, one more than the page holds.
    `listed_at` and `id` are the cursor after a row."""
    return [*await uow.fetch(_SAVED, account_id, *cursor_parts(page.cursor), page.limit + 1)]


_FORGET = """
delete from saved_posts where ctid = any(array(select ctid from saved_posts where post_id = $1 limit $2 for update))
"""


async def forget(uow: UnitOfWork, post_id: UUID, limit: int) -> bool:
    """Deletes up to `limit` rows of a post that is deleted. Returns whether there may be more."""
    return await uow.execute(_FORGET, post_id, limit) == f"DELETE {limit}"
