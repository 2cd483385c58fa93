"""A bound on what a list costs that anybody may have written into: the posts with a hashtag, quotes, reposts.

Its public posts are looked at newest first, and those of people apart from the viewer are passed over. There may be any
number of these, so a page looks at `MAX_LOOKED_AT` of them at most. One that ends there has what it found, perhaps
nothing, and the next page goes on behind the last post that was looked at. That one may be hidden, so cursors of these
lists are sealed (features/sealed_cursors.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from features.paging import Cursor, Page, page_of
from features.posts.privacy import visible_to
from features.posts.views import AUTHOR, Row
from features.sealed_cursors import CursorsOfList

T = TypeVar("T")

MAX_LOOKED_AT = 500


def public_posts(table: str, id: str, where: str, *, viewer: str, limit: str, condition: str = "true") -> str:
    """Returns two common table expressions: ``public`` has up to `limit` public posts (id, created_at) that the viewer
    may see, and ``last_looked_at`` where they end for the bound's sake, if they do.

    The posts are those whose ids are in the column `id` of `table` where `where` is true, which has `created_at` too.
    `condition` is one on the table ``posts``, checked for each of them like visibility."""
    tried = f"select {table}.{id} as id, {table}.created_at from {table} where {where}"
    newest_first = f"order by {table}.created_at desc, {table}.{id} desc"
    # Lateral, with a limit of its own: Postgres keeps the order, and stops at the last post that is wanted.
    return f"""public as (
    select post.id, post.created_at
    from ({tried} {newest_first} limit {MAX_LOOKED_AT}) as tried cross join lateral (
        select posts.id, posts.created_at from posts
        where posts.id = tried.id and {visible_to(viewer)} and {condition} limit 1
    ) as post
    order by tried.created_at desc, tried.id desc limit {limit}
), last_looked_at as (
    {tried} and (select count(*) from public) < {limit} {newest_first} offset {MAX_LOOKED_AT - 1} limit 1
)"""


def newest(found: Sequence[str], shown: str, *, viewer: str, limit: str) -> str:
    """Returns the end of a statement that has ``public``, ``last_looked_at`` and the common table expressions `found`:
    the newest posts of all, as far as they were looked for. Its rows are for `split`. `shown` are the columns of a post
    and its author: `columns`, or others that have id and created_at."""
    union = " union ".join(f"select * from {each}" for each in ("public", *found))
    return f"""newest as (
    select id from ({union}) as found
    where not exists (
        select from last_looked_at as last where (found.created_at, found.id) < (last.created_at, last.id)
    )
    order by created_at desc, id desc limit {limit}
)
select last.created_at as last_created_at, last.id as last_id, shown.*
from (values (true)) as always left join last_looked_at as last on true left join (
    select {shown} from newest join posts on posts.id = newest.id {AUTHOR} where {visible_to(viewer)}
) as shown on true
order by shown.created_at desc, shown.id desc
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Posts of a page, and where the next page goes on if the bound ended this one."""

    posts: list[Row]
    bound: Cursor | None


def split(rows: Sequence[Row]) -> Found:
    """Returns what the rows of `newest` say."""
    last = rows[0]
    cursor = Cursor(last["last_created_at"], last["last_id"]) if last["last_id"] else None
    return Found([row for row in rows if row["id"]], cursor)


def page_until(
    items: Sequence[T], limit: int, cursor: Callable[[T], Cursor], bound: Cursor | None, cursors: CursorsOfList
) -> Page[T]:
    """Makes a page from up to `limit + 1` items and the bound that `split` returned with their rows."""
    page = page_of(items, limit, cursor, cursors.seal)
    return Page(page.items, cursors.seal(bound)) if bound is not None and page.next_cursor is None else page
