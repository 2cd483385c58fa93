"""The statement of the feed."""

from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.posts.privacy import audiences, visible_to
from features.posts.views import AUTHOR, NEWEST_FIRST, Row, after, columns, cursor_parts
from features.relationships.visibility import muted

# Each author's newest posts come from the index posts_author, which has all that privacy asks for; only the posts of
# the page itself are read from the table.
_NEWEST = f"""
with authors as materialized (
    select id, {audiences("id", "$1")} as audiences
    from (select owner_id as id from connections where viewer_id = $1 union all select $1) as followed
    where not {muted("$1", "id")}
), newest as (
    select post.id
    from authors cross join lateral (
        select posts.id, posts.created_at from posts
        where posts.author_id = authors.id and {after("$2", "$3")} and {visible_to("$1", among="authors.audiences")}
        {NEWEST_FIRST} limit $4
    ) as post
    order by post.created_at desc, post.id desc limit $4
)
select {columns("$1")} from newest join posts on posts.id = newest.id {AUTHOR} {NEWEST_FIRST}
"""


async def newest(uow: UnitOfWork, viewer_id: UUID, page: PageRequest) -> list[Row]:
    """The newest posts of the viewer and of those whose audience the viewer is in, the muted left out, one more than
    the page holds."""
    return [*await uow.fetch(_NEWEST, viewer_id, *cursor_parts(page.cursor), page.limit + 1)]
