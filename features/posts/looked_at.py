"""Lists of posts that anybody may have written into: public ones are looked at within a bound
(features/bounded_lists.py), and with them go the others that the viewer may see."""

from collections.abc import Sequence

from features import bounded_lists
from features.posts.privacy import visible_to
from features.posts.views import AUTHOR


def public_posts(table: str, id: str, where: str, *, viewer: str, limit: str, condition: str = "true") -> str:
    """Returns common table expressions: ``public`` has up to `limit` public posts (id, created_at) that the viewer may
    see, and ``last_looked_at`` where they end for the bound's sake, if they do.

    The posts are those whose ids are in the column `id` of `table` where `where` is true, which has `created_at` too.
    `condition` is one on the table ``posts``, checked for each of them like visibility."""
    if table == "posts":
        shown = f"select true where {visible_to(viewer)} and {condition}"
    else:
        shown = f"select true from posts where posts.id = {table}.{id} and {visible_to(viewer)} and {condition}"
    order = f"{table}.created_at desc, {table}.{id} desc"
    looked_at = bounded_lists.looked_at(table, f"{table} where {where}", order=order, shown=shown, limit=limit)
    return f"""{looked_at}, public as (select {id} as id, created_at from visible)"""


def newest(found: Sequence[str], shown: str, *, id: str, viewer: str, limit: str) -> str:
    """Returns the end of a statement that has `public_posts`, of whose table `id` is the column, and the common table
    expressions `found`: the newest posts of all, as far as they were looked for. Its rows are for
    `bounded_lists.split`. `shown` are the columns of a post and its author: `columns`, or others that have id and
    created_at."""
    union = " union ".join(f"select * from {each}" for each in ("public", *found))
    posts = f"select {shown} from newest join posts on posts.id = newest.id {AUTHOR} where {visible_to(viewer)}"
    return f"""newest as (
    select id from ({union}) as found
    where not exists (
        select from last_looked_at as last where (found.created_at, found.id) < (last.created_at, last.{id})
    )
    order by created_at desc, id desc limit {limit}
)
{bounded_lists.with_bound(posts, at="created_at", id=id, order="shown.created_at desc, shown.id desc")}
"""
