"""SQL of hashtags: the posts with one, as far as a viewer may see them, and how many there are."""

from datetime import date
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.bounded_lists import Found, split
from features.paging import PageRequest
from features.posts import looked_at
from features.posts.model import Audience
from features.posts.privacy import restricted_audiences, viewers_lists, visible_to
from features.posts.views import Row, after, columns, cursor_parts

# What is not public is looked for among the posts of people who let the viewer see some, in an index of its own: posts
# that only others may see cost the viewer nothing, however many have the hashtag. What went to a list is looked for by
# the list, for the same reason. (The order by the author or list, which is the same in each of these searches, and
# `any`, which hides this from Postgres, are there for these indexes: it would read all posts with the hashtag, newest
# first, if it expects the author to have many of them.) The viewer may see all posts of such a search, or none if a
# block or a deactivation parts the two: so it ends at the page's limit before visibility is checked, and hidden posts
# cost no more than those that are shown.
_TAGGED = f"""
post_hashtags.tag = $1 and {after("$3", "$4", key="post_hashtags.created_at, post_hashtags.post_id")}
"""
_PUBLIC = f"{_TAGGED} and post_hashtags.audience = '{Audience.PUBLIC}'"
_WITH_HASHTAG = f"""
with {looked_at.public_posts("post_hashtags", "post_id", _PUBLIC, viewer="$2::uuid", limit="$5")}, restricted as (
    select posts.id, posts.created_at
    from ({restricted_audiences("$2::uuid")}) as open cross join lateral (
        select post_hashtags.post_id as id, post_hashtags.* from post_hashtags
        where {_TAGGED} and post_hashtags.author_id = any(array[open.author_id])
            and post_hashtags.audience = open.audience and post_hashtags.audience <> '{Audience.PUBLIC}'
        order by post_hashtags.author_id desc, post_hashtags.created_at desc, post_hashtags.post_id desc limit $5
    ) as posts
    where {visible_to("$2::uuid")}
), listed as (
    select posts.id, posts.created_at
    from ({viewers_lists("$2::uuid")}) as own cross join lateral (
        select post_hashtags.post_id as id, post_hashtags.* from post_hashtags
        where {_TAGGED} and post_hashtags.list_id = any(array[own.id])
            and post_hashtags.audience = '{Audience.LIST}'
        order by post_hashtags.list_id desc, post_hashtags.created_at desc, post_hashtags.post_id desc limit $5
    ) as posts
    where {visible_to("$2::uuid")}
), {looked_at.newest(("restricted", "listed"), columns("$2::uuid"), id="post_id", viewer="$2::uuid", limit="$5")}
"""


async def with_hashtag(uow: UnitOfWork, tag: str, viewer_id: UUID | None, page: PageRequest) -> Found:
    """Returns the posts with a hashtag that the viewer may see, newest first, one more than the page holds, and where
    the next page goes on if this one ended before it was full (bounded_lists.py)."""
    position = cursor_parts(page.cursor)
    return split(await uow.fetch(_WITH_HASHTAG, tag, viewer_id, *position, page.limit + 1))


_COUNT = """
insert into hashtag_counts as counts (tag, day, posts)
select tag, $1, change from unnest($2::text[], $3::int[]) as changes (tag, change) order by tag
on conflict (tag, day) do update set posts = counts.posts + excluded.posts
"""


async def count_hashtags(uow: UnitOfWork, day: date, changes: dict[str, int]) -> None:
    """Adds to the counts of a day. Rows are locked in the order of their tags, so that two consumers cannot
    deadlock."""
    await uow.execute(_COUNT, day, list(changes), list(changes.values()))


_COUNTS = """
select day, posts, sum(posts) over () as total from hashtag_counts where tag = $1 and posts > 0 order by day desc
"""


async def hashtag_counts(uow: UnitOfWork, tag: str) -> list[Row]:
    """Returns the days on which a hashtag is used, newest first, each with the total over all days."""
    return [*await uow.fetch(_COUNTS, tag)]
