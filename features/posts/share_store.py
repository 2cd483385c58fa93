"""SQL of reposts and of lists of quotes, and of the counts of both."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.bounded_lists import Found, split
from features.counters import queries as counters
from features.counters.model import QUOTES, REPOSTS
from features.paging import PageRequest
from features.posts import looked_at
from features.posts.errors import AlreadyReposted
from features.posts.model import Audience, Reposter, ShareKind
from features.posts.privacy import restricted_audiences, viewers_lists, visible_to
from features.posts.queries import kept_post
from features.posts.views import AUTHOR, Row, after, columns, cursor_parts
from features.profiles.queries import person_columns, person_of
from features.relationships.visibility import apart

_FIND = f"""
select {columns("$1::uuid")} from posts {AUTHOR}
where posts.author_id = $1 and posts.reposted_id = $2 and {visible_to("$1::uuid")}
"""


async def find(uow: UnitOfWork, author_id: UUID, reposted_id: UUID) -> Row | None:
    """Returns an account's repost of a post."""
    return await uow.fetchrow(_FIND, author_id, reposted_id)


_INSERT = """
with written as (
    insert into posts (id, author_id, text, audience, reposted_id, created_at) values ($1, $2, '', 'public', $3, $4)
    on conflict (author_id, reposted_id) where reposted_id is not null do nothing returning id
)
select count(*) from written"""


def insert(uow: UnitOfWork, repost_id: UUID, author_id: UUID, reposted_id: UUID, now: datetime) -> None:
    """Inserts a repost when the unit of work commits, which raises AlreadyReposted for a second one."""
    uow.write_at_commit(_INSERT, repost_id, author_id, reposted_id, now, refused=AlreadyReposted())


# Ids, not ctids: a row that somebody else changes meanwhile stays among those that are deleted.
_DELETE_OF = f"""
delete from posts where id = any(array(
    select posts.id from posts where posts.reposted_id = $1 and {visible_to("posts.author_id")} limit $2 for update
)) returning id::text, author_id::text, created_at, entities, audience, list_id::text
"""


async def delete_of(uow: UnitOfWork, post_id: UUID, limit: int) -> list[Row]:
    """Deletes up to `limit` reposts of a post. Returns what they were, with the columns of `changes.state_of`."""
    return [*await uow.fetch(_DELETE_OF, post_id, limit)]


_BETWEEN = f"""
posts.reposted_id is not null and posts.author_id = any(array[$1::uuid, $2]) and {visible_to("posts.author_id")}
    and exists (
        select from posts as original where original.id = posts.reposted_id
            and original.author_id = any(array[$1, $2]) and original.author_id <> posts.author_id
    )"""
_DELETE_BETWEEN = f"""
with deleted as (
    delete from posts where ctid = any(array(select posts.ctid from posts where {_BETWEEN} for update)) returning *
)
select {columns("posts.author_id")} from deleted as posts {AUTHOR}
"""


async def delete_between(uow: UnitOfWork, one: UUID, other: UUID) -> list[Row]:
    """Deletes the reposts that two people have made of each other's posts. Returns what they were."""
    return [*await uow.fetch(_DELETE_BETWEEN, one, other)]


_NAMES = {ShareKind.REPOST: REPOSTS, ShareKind.QUOTE: QUOTES}
_KEPT = f"select {kept_post('$1')}"


async def count(uow: UnitOfWork, post_id: UUID, kind: ShareKind, share_id: UUID, change: int) -> None:
    """Adds to the number of a post's reposts or quotes, unless the post is deleted: its counts are, then."""
    if await uow.fetchval(_KEPT, post_id):
        await counters.add(uow, [post_id], _NAMES[kind], share_id, change)


_REPOSTED = f"posts.reposted_id = $1 and {after('$3', '$4')}"
_REPOSTER = f"posts.id, posts.author_id, {person_columns('author')}, posts.created_at"
_REPOSTERS = f"""
with {looked_at.public_posts("posts", "id", _REPOSTED, viewer="$2::uuid", limit="$5")},
{looked_at.newest((), _REPOSTER, id="id", viewer="$2::uuid", limit="$5")}
"""


async def reposters(uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, page: PageRequest) -> Found:
    """Returns the reposts of a post by people whom the viewer may see, the last one first: one more than the page
    holds, and where the next page goes on if this one ended before it was full (bounded_lists.py)."""
    position = cursor_parts(page.cursor)
    return split(await uow.fetch(_REPOSTERS, post_id, viewer_id, *position, page.limit + 1))


def reposter_of(row: Row) -> Reposter:
    """Converts a row of `reposters`."""
    return Reposter(person_of(row, row["author_id"]), row["id"], row["created_at"])


# As for hashtags (hashtag_store.py): what is not public is looked for among the posts of people who let the viewer see
# some, so that quotes which only others may see cost the viewer nothing, however many there are.
_QUOTING = f"posts.quoted_id = $1 and {after('$3', '$4')}"
_SHOWN = f"not {apart('posts.author_id', '$6::uuid')}"
_PUBLIC = f"{_QUOTING} and posts.audience = '{Audience.PUBLIC}'"
_QUOTES = f"""
with {looked_at.public_posts("posts", "id", _PUBLIC, viewer="$2::uuid", limit="$5", condition=_SHOWN)}, restricted as (
    select posts.id, posts.created_at
    from ({restricted_audiences("$2::uuid")}) as open cross join lateral (
        select posts.* from posts
        where {_QUOTING} and posts.audience <> '{Audience.PUBLIC}'
            and posts.author_id = any(array[open.author_id]) and posts.audience = open.audience
        order by posts.author_id desc, posts.created_at desc, posts.id desc limit $5
    ) as posts
    where {visible_to("$2::uuid")} and {_SHOWN}
), listed as (
    select posts.id, posts.created_at
    from ({viewers_lists("$2::uuid")}) as own cross join lateral (
        select posts.* from posts
        where {_QUOTING} and posts.audience = '{Audience.LIST}' and posts.list_id = any(array[own.id])
        order by posts.list_id desc, posts.created_at desc, posts.id desc limit $5
    ) as posts
    where {visible_to("$2::uuid")} and {_SHOWN}
), {looked_at.newest(("restricted", "listed"), columns("$2::uuid"), id="id", viewer="$2::uuid", limit="$5")}
"""


async def quotes(uow: UnitOfWork, post_id: UUID, author_id: UUID, viewer_id: UUID | None, page: PageRequest) -> Found:
    """Returns the posts that quote a post of the author and that the viewer may see, newest first, without those of
    people who are apart from the author: one more than the page holds, and where the next page goes on if this one
    ended before it was full (bounded_lists.py)."""
    position = cursor_parts(page.cursor)
    return split(await uow.fetch(_QUOTES, post_id, viewer_id, *position, page.limit + 1, author_id))
