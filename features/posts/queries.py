"""Statements on posts for slices that build on them (the feed)."""

from features.accounts.queries import inactive
from features.posts.privacy import visible_to
from features.posts.views import AUTHOR, NEWEST_FIRST, after, columns

_POSTS_OF_AUTHOR = f"""
    select posts.id, posts.created_at from posts
    where posts.author_id = authors.id and {after("$2", "$3")} and {visible_to("$1", among="authors.audiences")}
"""


def _picked(authors: str) -> str:
    """The newest posts of many authors that a viewer may see, as the rows of `newest` (id). `authors` is a query of
    authors (id) and of the audiences (privacy.py) of each that the viewer belongs to.

    Parameters: $1 the viewer, $2 and $3 the cursor, $4 how many.

    Posts are found in the index posts_author, which has all columns that the privacy rule needs; only the posts of the
    page are read from the table. Reading a full page per author is correct but slow for many authors. So a first scan
    reads only each author's equal share of the page (`heads`). The final page holds nothing older than the oldest post
    of a page made of these (`since`), where the second scan stops. Measured with 20 and 1,500 authors: 0.9 and 11 ms of
    Postgres' time instead of 1.1 and 25 (2 cores)."""
    return f"""
with authors as materialized (
    {authors}
), heads as materialized (
    select authors.id, authors.audiences, post.created_at
    from authors cross join lateral (
        {_POSTS_OF_AUTHOR} {NEWEST_FIRST} limit (select ceil($4::float8 / count(*)) from authors)
    ) as post
), since as materialized (
    select coalesce((select created_at from heads order by created_at desc offset $4 - 1 limit 1), '-infinity') as at
), active as (
    select distinct id, audiences from heads where created_at >= (select at from since)
), newest as (
    select post.id
    from active as authors cross join lateral (
        {_POSTS_OF_AUTHOR} and posts.created_at >= (select at from since) {NEWEST_FIRST} limit $4
    ) as post
    order by post.created_at desc, post.id desc limit $4
)
"""


def newest_posts(authors: str) -> str:
    """The newest posts of many authors that a viewer may see, for `views`. Parameters as in `_picked`."""
    return f"""
{_picked(authors)}
select {columns("$1")} from newest join posts on posts.id = newest.id {AUTHOR} {NEWEST_FIRST}
"""


KEY = "posts.id, posts.created_at, posts.author_id, posts.audience, posts.list_id"
"""What timelines keep of a post."""


def newest_keys(authors: str) -> str:
    """The keys of the same posts as `newest_posts`."""
    return f"{_picked(authors)} select {KEY} from newest join posts on posts.id = newest.id {NEWEST_FIRST}"


KEYS_OF_AUTHOR = f"""
select {KEY} from posts where posts.author_id = $1 and {visible_to("$1")} and not {inactive("$1")}
{NEWEST_FIRST} limit $2
"""
"""The keys of an author's ($1) newest posts of every audience, $2 of them; none while the author is not active."""

KEYS_OF_POSTS = f"select {KEY} from posts where posts.id = any($1::uuid[]) and {visible_to('posts.author_id')}"
"""The keys of posts, whatever their authors' states: those decide when they are shown."""

POSTS_SHOWN = f"""
select {columns("$1")}, posts.list_id::text as went_to from posts {AUTHOR}
where posts.id = any($2::uuid[]) and {visible_to("$1")} and not {inactive("posts.author_id")}
"""
"""Those of the posts $2 that the viewer $1 may see, for `views`, in no order. `went_to` is the list that a post was
published to; it is not to be shown. (An author who is not active has no requests; one that is still under way must
not put the author's posts where others are served from.)"""

EXISTING = f"select posts.id from posts where id = any($1::uuid[]) and {visible_to('posts.author_id')}"
"""Those of the posts $1 that there are, whoever may see them."""

NEXT = f"select posts.id from posts where id > $1 and {visible_to('posts.author_id')} order by id limit $2"
"""Up to $2 posts after the id $1 in the order of ids, whoever may see them."""


def seen_post(post: str, viewer: str) -> str:
    """The author of a post (an SQL expression for its id) if the viewer may see it, otherwise null: a scalar query."""
    return f"(select posts.author_id from posts where posts.id = {post} and {visible_to(viewer)})"


def kept_post(post: str) -> str:
    """The post exists, and is kept from being deleted until the transaction ends: a predicate."""
    return f"exists (select from posts where posts.id = {post} and {visible_to('posts.author_id')} for key share)"


def listed_posts(entries: str, viewer: str) -> str:
    """The posts of a list that another slice keeps, the last listed first, for `views`. `entries` is a query of a page
    of it (id, listed_at), without the posts that the viewer may not see (`seen_post`)."""
    return f"""
select {columns(viewer)}, listed.listed_at from ({entries}) as listed join posts on posts.id = listed.id {AUTHOR}
where {visible_to(viewer)} order by listed.listed_at desc, posts.id desc
"""
