"""SQL of comments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cluster.postgres import UnitOfWork
from features.bounded_lists import Found, looked_at, split, with_bound
from features.comments.model import CommentOrder
from features.comments.privacy import shown_to
from features.counters import queries as counters
from features.posts.queries import kept_post, seen_post
from features.profiles.queries import joined, person_columns
from features.relationships.visibility import connected

Row = Any
"""A row of a result: columns by name."""


def _columns(viewer: str) -> str:
    return f"""
        comments.id::text as id, comments.post_id::text as post_id, comments.parent_id::text as parent_id,
        comments.depth, comments.author_id::text as author_id, {person_columns("author")}, comments.text,
        comments.entities, comments.hidden_at is not null as hidden, comments.created_at, comments.edited_at,
        comments.score, {counters.columns("comments.id", viewer)}"""


_AUTHOR = f"left {joined('author', 'comments.author_id')}"


@dataclass(frozen=True, slots=True)
class Post:
    """What decides about comments on a post: its author, whether the viewer is in the author's connections, who may
    comment (None: everybody), and the words that its author filters."""

    author_id: UUID
    connected: bool
    commenters: str | None
    words: list[str]


_POST = f"""
select post.author_id, {connected("post.author_id", "$2::uuid")} as connected,
    (select commenters from comment_restrictions where post_id = $1) as commenters,
    (select words from comment_filters where account_id = post.author_id) as words
from (select {seen_post("$1", "$2::uuid")} as author_id) as post
"""


async def post(uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> Post | None:
    """Returns a post that the viewer may see."""
    row = await uow.fetchrow(_POST, post_id, viewer_id)
    if row is None or row["author_id"] is None:
        return None
    return Post(row["author_id"], row["connected"], row["commenters"], row["words"] or [])


_AUTHOR_OF = f"select {seen_post('$1', '$2::uuid')}"


async def author_of(uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> UUID | None:
    """Returns the author of a post that the viewer may see."""
    author_id: UUID | None = await uow.fetchval(_AUTHOR_OF, post_id, viewer_id)
    return author_id


_FIND = f"""
select {_columns("$2::uuid")}, post.author_id as moderator_id
from comments cross join lateral (select {seen_post("comments.post_id", "$2::uuid")} as author_id) as post {_AUTHOR}
where comments.id = $1 and post.author_id is not null and {shown_to("$2::uuid", "post.author_id")}
"""


async def find(uow: UnitOfWork, comment_id: UUID, viewer_id: UUID | None) -> Row | None:
    """Returns a comment that the viewer may see, and the author of its post as moderator_id."""
    return await uow.fetchrow(_FIND, comment_id, viewer_id)


async def lock(uow: UnitOfWork, comment_id: UUID, viewer_id: UUID) -> Row | None:
    """Returns a comment that the viewer may see, locked until the unit of work ends."""
    return await uow.fetchrow(f"{_FIND} for update of comments", comment_id, viewer_id)


_OWN = f"""
select {_columns("$2::uuid")}, null::uuid as moderator_id from comments {_AUTHOR}
where comments.id = $1 and comments.author_id = $2 and {kept_post("comments.post_id")} for update of comments
"""


async def lock_own(uow: UnitOfWork, comment_id: UUID, author_id: UUID) -> Row | None:
    """Returns a comment of the author, who may not see the post any more, locked until the unit of work ends."""
    return await uow.fetchrow(_OWN, comment_id, author_id)


_HIGHEST, _LOWEST = f"'{UUID(int=2**128 - 1)}'::uuid", f"'{UUID(int=0)}'::uuid"
_SHOWN = f"select true where {shown_to('$2::uuid', '$3::uuid')}"


def _level(at: str, compare: str, first: str) -> str:
    """Returns the statement for a level in the order of a column, down (`<`) or up, from the key `first` on."""
    down = " desc" if compare == "<" else ""
    in_level = f"comments where level_id = $1 and (comments.{at}, comments.id) {compare} ({first})"
    order = f"comments.{at}{down}, comments.id{down}"
    comments = f"select {_columns('$2::uuid')} from visible as comments {_AUTHOR}"
    return f"""
with {looked_at("comments", in_level, order=order, shown=_SHOWN, limit="$6")}
{with_bound(comments, at=at, id="id", order=f"shown.{at}{down}, shown.id{down}")}
"""


_LEVELS = {
    CommentOrder.NEWEST: _level("created_at", "<", f"coalesce($4::timestamptz, 'infinity'), coalesce($5, {_HIGHEST})"),
    CommentOrder.OLDEST: _level("created_at", ">", f"coalesce($4::timestamptz, '-infinity'), coalesce($5, {_LOWEST})"),
    CommentOrder.RELEVANCE: _level("score", "<", f"coalesce($4::int, {2**31 - 1}), coalesce($5, {_HIGHEST})"),
}


async def level(
    uow: UnitOfWork,
    level_id: UUID,
    viewer_id: UUID | None,
    moderator_id: UUID,
    order: CommentOrder,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> Found:
    """Returns up to `limit` comments of a level (comments on a post, replies to a comment) that the viewer may see,
    who may see the post. `after` is the sort key to go on from: a time, or a score, and an id."""
    return split(await uow.fetch(_LEVELS[order], level_id, viewer_id, moderator_id, *(after or (None, None)), limit))


_INSERT = f"""
insert into comments (id, post_id, level_id, parent_id, depth, author_id, text, entities, created_at, hidden_at)
select $1, $2, coalesce($3::uuid, $2), $3, $4, $5, $6, $7::jsonb, $8, case when $9 then $8::timestamptz end
where {kept_post("$2")}
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A comment to be stored. `entities` are as stored: offsets, and a tag or an account id."""

    id: UUID
    post_id: UUID
    parent_id: UUID | None
    depth: int
    author_id: UUID
    text: str
    entities: list[dict[str, Any]]
    hidden: bool


async def insert(uow: UnitOfWork, draft: Draft, now: datetime) -> bool:
    """Stores a comment. Returns False if the post is not there any more. Raises ForeignKeyViolationError if its parent
    is not."""
    tag = await uow.execute(
        _INSERT,
        draft.id,
        draft.post_id,
        draft.parent_id,
        draft.depth,
        draft.author_id,
        draft.text,
        stored(draft.entities),
        now,
        draft.hidden,
    )
    return tag == "INSERT 0 1"


async def keep(uow: UnitOfWork, comment_id: UUID) -> bool:
    """Returns whether a comment is there, and keeps it from being deleted until the unit of work ends."""
    sql = "select true from comments where id = $1 and author_id is not null for share"
    return bool(await uow.fetchval(sql, comment_id))


_UPDATE = """
update comments set text = $2, entities = $3::jsonb, edited_at = $4,
    hidden_at = case when $5 then coalesce(hidden_at, $4) else hidden_at end
where id = $1
"""


async def update(
    uow: UnitOfWork, comment_id: UUID, text: str, entities: list[dict[str, Any]], now: datetime, *, hidden: bool
) -> None:
    """Changes a locked comment; `hidden` hides it, too."""
    await uow.execute(_UPDATE, comment_id, text, stored(entities), now, hidden)


async def hide(uow: UnitOfWork, comment_id: UUID, hidden_at: datetime | None) -> None:
    """Hides a locked comment, or shows it again (None)."""
    await uow.execute("update comments set hidden_at = $2 where id = $1", comment_id, hidden_at)


# --- deletion -----------------------------------------------------------------------------------------------------

_ANCESTORS = """
with recursive chain as (
    select id, parent_id from comments where id = $1
    union all select above.id, above.parent_id from chain join comments as above on above.id = chain.parent_id
)
select from comments where id in (select id from chain) order by depth for update
"""
_REMOVE = """
with recursive gone as (
    select id, parent_id from comments
    where id = $1 and not exists (select from comments as reply where reply.parent_id = $1)
    union all
    select above.id, above.parent_id from gone join comments as above on above.id = gone.parent_id
    where above.author_id is null
        and not exists (select from comments as reply where reply.parent_id = above.id and reply.id <> gone.id)
), emptied as (
    update comments set author_id = null, text = null, entities = null, hidden_at = null
    where id = $1 and not exists (select from gone)
)
delete from comments where id in (select id from gone) returning id
"""


async def remove(uow: UnitOfWork, comment_id: UUID) -> list[UUID]:
    """Deletes a comment; one that has replies only loses author and text. Deletes also what only kept its place.
    Returns what is not there any more."""
    # From the top, so that two who delete the last replies to a comment see each other's deletion.
    await uow.execute(_ANCESTORS, comment_id)
    return [row["id"] for row in await uow.fetch(_REMOVE, comment_id)]


_OF_AUTHOR = f"""
select {_columns("$1::uuid")} from comments {_AUTHOR} where comments.author_id = $1 order by comments.id limit $2
"""


async def of_author(uow: UnitOfWork, author_id: UUID, limit: int) -> list[Row]:
    """Returns comments of an account."""
    return [*await uow.fetch(_OF_AUTHOR, author_id, limit)]


_FORGET = """
delete from comments where id = any(array(
    select id from comments where post_id = $1 order by depth desc limit $2 for update
)) returning id
"""


async def forget(uow: UnitOfWork, post_id: UUID, limit: int) -> list[UUID]:
    """Deletes up to `limit` comments on a post that is deleted, replies first. Returns their ids."""
    return [row["id"] for row in await uow.fetch(_FORGET, post_id, limit)]


# --- moderation and relevance ---------------------------------------------------------------------------------------

_RESTRICT = """
insert into comment_restrictions (post_id, commenters) values ($1, $2)
on conflict (post_id) do update set commenters = excluded.commenters
"""


async def restrict(uow: UnitOfWork, post_id: UUID, commenters: str | None) -> None:
    """Stores who may comment on a post; None: everybody."""
    if commenters is None:
        await uow.execute("delete from comment_restrictions where post_id = $1", post_id)
    else:
        await uow.execute(_RESTRICT, post_id, commenters)


async def words(uow: UnitOfWork, account_id: UUID) -> list[str]:
    """Returns an account's filter words."""
    return await uow.fetchval("select words from comment_filters where account_id = $1", account_id) or []


_FILTER = """
insert into comment_filters (account_id, words) values ($1, $2)
on conflict (account_id) do update set words = excluded.words
"""


async def filter_words(uow: UnitOfWork, account_id: UUID, words: Sequence[str]) -> None:
    """Stores an account's filter words."""
    await uow.execute(_FILTER, account_id, list(words))


async def forget_words(uow: UnitOfWork, account_id: UUID) -> None:
    """Deletes an account's filter words."""
    await uow.execute("delete from comment_filters where account_id = $1", account_id)


_SCORE = f"""
update comments set score = least(counted.total, {2**31 - 2})
from (
    select id, coalesce({counters.total("comments.id")}, 0) as total from comments
    where id = any($1::uuid[]) order by id for update
) as counted
where comments.id = counted.id and comments.score <> counted.total
"""


async def score(uow: UnitOfWork, comment_ids: Sequence[UUID]) -> None:
    """Computes the relevance of comments anew: the number of reactions and replies."""
    await uow.execute(_SCORE, list(comment_ids))


def stored(entities: list[dict[str, Any]]) -> str | None:
    """Returns entities as they are stored."""
    return orjson.dumps(entities).decode() if entities else None
