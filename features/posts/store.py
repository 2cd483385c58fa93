"""SQL of posts. Every statement that can show a post contains `visible_to`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.posts.errors import UnknownList
from features.posts.model import Attachment, Audience, Place, PollDefinition
from features.posts.privacy import visible_to
from features.posts.views import AUTHOR, NEWEST_FIRST, Row, after, columns, cursor_parts
from features.profiles.model import Person
from features.relationships.queries import lock_list, own_list


@dataclass(frozen=True, slots=True)
class Draft:
    """The new content of a post. `entities` are as stored: offsets, and a tag or an account id. `usernames` name the
    people mentioned."""

    text: str
    entities: list[dict[str, Any]]
    tags: list[str]
    audience: Audience
    list_id: UUID | None
    usernames: dict[str, str]
    content_warning: str | None
    place: Place | None
    media: list[Attachment]
    poll: PollDefinition | None = None
    quoted_id: UUID | None = None
    poll_duration_s: int | None = None


_INSERT = f"""
with written as (
    insert into posts (id, author_id, text, entities, audience, list_id, created_at, content_warning, place, poll,
        media, quoted_id)
    select $1, $2, $3, $4::jsonb, $5, $6, $7, $9, $10::jsonb, $11::jsonb, $12::jsonb, $13
    where $6::uuid is null or {own_list("$6", "$2")}
    returning id
), tagged as (
    insert into post_hashtags (tag, created_at, post_id, audience, author_id, list_id)
    select tag, $7, written.id, $5, $2, $6 from written cross join unnest($8::text[]) as tag
)
select count(*) from written"""


def insert(uow: UnitOfWork, post_id: UUID, author: Person, draft: Draft, created_at: datetime) -> Row:
    """Inserts a post when the unit of work commits, which raises UnknownList if its list is not the author's. Returns
    the post's columns for its author."""
    uow.write_at_commit(
        _INSERT,
        post_id,
        author.id,
        draft.text,
        _stored(draft.entities),
        draft.audience,
        draft.list_id,
        created_at,
        draft.tags,
        draft.content_warning,
        _stored(draft.place),
        _stored(draft.poll),
        _stored(draft.media),
        draft.quoted_id,
        refused=UnknownList(),
    )
    return new_row(post_id, author, draft, created_at)


def new_row(post_id: UUID, author: Person, draft: Draft, created_at: datetime) -> dict[str, Any]:
    """Returns the columns of a post that is being created, for its author."""
    return {
        "id": str(post_id),
        "author_id": str(author.id),
        "username": author.username,
        "name": author.name,
        "avatar": author.avatar,
        "text": draft.text,
        "entities": draft.entities,
        "audience": draft.audience,
        "content_warning": draft.content_warning,
        "place": draft.place,
        "pinned_at": None,
        "poll": draft.poll,
        "media": draft.media or None,
        "media_epoch": 0,
        "shared_id": str(draft.quoted_id) if draft.quoted_id else None,
        "is_repost": False,
        "link": None,
        "created_at": created_at,
        "edited_at": None,
        "list_id": str(draft.list_id) if draft.list_id else None,
        "reposted": False,
        "saved": False,
        "counts": None,
        "own_reaction": None,
    }


_FIND = f"""
select {columns("$2::uuid")} from posts {AUTHOR} where posts.id = $1 and {visible_to("$2::uuid")}
"""


async def find(uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> Row | None:
    """Returns a post if the viewer may see it."""
    return await uow.fetchrow(_FIND, post_id, viewer_id)


_VISIBLE = f"select exists (select from posts where id = $1 and {visible_to('$2::uuid')})"


async def visible(uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> bool:
    """Returns whether there is a post that the viewer may see."""
    return bool(await uow.fetchval(_VISIBLE, post_id, viewer_id))


# Deleting a list locks it before the posts that refer to it; the same order is needed here.
_LOCK_LIST = lock_list("(select list_id from posts where id = $1 and author_id = $2)")
_LOCK = f"{_FIND} for update of posts"


async def lock(uow: UnitOfWork, post_id: UUID, viewer_id: UUID) -> Row | None:
    """Returns a post that the viewer may see, locked until the unit of work ends."""
    await uow.execute(_LOCK_LIST, post_id, viewer_id)
    return await uow.fetchrow(_LOCK, post_id, viewer_id)


_UPDATE = f"""
with replaced as (
    insert into post_versions (post_id, number, text, entities, audience, list_id, created_at, content_warning,
        media)
    select id, coalesce((select max(number) from post_versions where post_id = $1), 0) + 1, text, entities, audience,
        list_id, coalesce(edited_at, created_at), content_warning, coalesce(media, '[]')
    from posts where id = $1 and author_id = $2 and ($12 or (text, content_warning) is distinct from ($3, $9))
), untagged as (
    delete from post_hashtags where post_id = $1 and tag <> all($7::text[])
), edited as (
    update posts set text = $3, entities = $4::jsonb, audience = $5, list_id = $6, content_warning = $9,
        place = $10::jsonb, media = $11::jsonb,
        media_epoch = media_epoch + case when (audience, list_id) is distinct from ($5, $6) then 1 else 0 end,
        link = case when text = $3 then link end, link_url = case when text = $3 then link_url end,
        edited_at = case when $12 or (text, content_warning) is distinct from ($3, $9) then $8 else edited_at end
    where id = $1 and author_id = $2 and ($6::uuid is null or {own_list("$6", "$2")})
    returning *
), tagged as (
    insert into post_hashtags (tag, created_at, post_id, audience, author_id, list_id)
    select tag, edited.created_at, edited.id, $5, $2, $6 from edited cross join unnest($7::text[]) as tag
    on conflict (tag, created_at, post_id) do update set audience = excluded.audience, list_id = excluded.list_id
    where (post_hashtags.audience, post_hashtags.list_id) is distinct from (excluded.audience, excluded.list_id)
)
select {columns("$2::uuid")} from edited as posts {AUTHOR}
"""


async def update(
    uow: UnitOfWork, post_id: UUID, author_id: UUID, draft: Draft, now: datetime, *, other_media: bool
) -> Row | None:
    """Changes a locked post of the author, and stores its old text, content warning and media as a version if one of
    them changed (`other_media`: these have). Returns None if the list is not the author's; the unit of work must not
    commit then."""
    return await uow.fetchrow(
        _UPDATE,
        post_id,
        author_id,
        draft.text,
        _stored(draft.entities),
        draft.audience,
        draft.list_id,
        draft.tags,
        now,
        draft.content_warning,
        _stored(draft.place),
        _stored(draft.media),
        other_media,
    )


async def delete(uow: UnitOfWork, post_id: UUID, author_id: UUID) -> bool:
    """Deletes a post with its versions. Returns False if somebody else has deleted it before."""
    sql = "delete from posts where id = $1 and author_id = $2"
    return await uow.execute(sql, post_id, author_id) == "DELETE 1"


_LOCK_PINNED = "select pg_advisory_xact_lock(hashtextextended('posts.pinned:' || $1::uuid::text, 0))"
_PINNED = f"""
select count(*) from posts where author_id = $1 and pinned_at is not null and {visible_to("$1::uuid")}
"""


async def lock_pinned(uow: UnitOfWork, author_id: UUID) -> int:
    """Returns how many posts an author has pinned; nobody else changes that until the unit of work ends."""
    await uow.execute(_LOCK_PINNED, author_id)
    return int(await uow.fetchval(_PINNED, author_id))


async def pin(uow: UnitOfWork, post_id: UUID, pinned_at: datetime | None) -> None:
    """Pins a post, or takes it off its author's profile (None)."""
    await uow.execute("update posts set pinned_at = $2 where id = $1", post_id, pinned_at)


_DELETE_MANY = "delete from posts where id = any($1::uuid[]) and author_id = $2 returning id::text as id"


async def delete_many(uow: UnitOfWork, post_ids: list[UUID], author_id: UUID) -> set[str]:
    """Deletes posts of an author with their versions. Returns the ids of those that nobody else has deleted before."""
    return {row["id"] for row in await uow.fetch(_DELETE_MANY, post_ids, author_id)}


_CURRENT = 2**31 - 2
"""The number of the present version: it sorts after all earlier ones."""

_VERSIONS = f"""
select versions.number, versions.text, versions.entities, versions.content_warning, versions.audience,
    versions.created_at, versions.media, posts.audience as post_audience, posts.media_epoch
from posts cross join lateral (
    select number, text, entities, content_warning, audience, list_id, created_at, media
    from post_versions where post_id = posts.id
    union all
    select {_CURRENT}, posts.text, posts.entities, posts.content_warning, posts.audience, posts.list_id,
        coalesce(posts.edited_at, posts.created_at), coalesce(posts.media, '[]')
) as versions
where posts.id = $1 and {visible_to("$2::uuid")} and {visible_to("$2::uuid", shown="versions")}
    and versions.number < $3
order by versions.number desc limit $4
"""


async def versions(uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, *, below: int, limit: int) -> list[Row]:
    """Returns the versions of a post with numbers below `below`, newest first, if the viewer may see the post; without
    versions whose own audience excludes the viewer. Earlier versions are numbered from 1."""
    return [*await uow.fetch(_VERSIONS, post_id, viewer_id, min(below, _CURRENT + 1), limit)]


# Pinned posts come first, the last pinned one at the top: they are listed as if they were from a thousand years later.
_PINNED_AT = "posts.pinned_at + interval '365000 days'"
_OF_AUTHOR = f"""
with pinned as materialized (
    select posts.id, {_PINNED_AT} as listed_at from posts
    where posts.author_id = $1 and posts.pinned_at is not null and {visible_to("$2::uuid")}
), listed as (
    select id, listed_at from pinned where {after("$3", "$4", key="listed_at, id")}
    union all (
        select posts.id, posts.created_at from posts
        where posts.author_id = $1 and {after("$3", "$4")} and {visible_to("$2::uuid")}
            and posts.id <> all(array(select id from pinned))
        {NEWEST_FIRST} limit $5
    )
)
select {columns("$2::uuid")}, listed.listed_at from listed join posts on posts.id = listed.id {AUTHOR}
order by listed.listed_at desc, posts.id desc limit $5
"""


async def of_author(uow: UnitOfWork, author_id: UUID, viewer_id: UUID | None, page: PageRequest) -> list[Row]:
    """Returns an author's posts that the viewer may see, pinned ones first, the others newest first; one more than the
    page holds. `listed_at` and `id` are the cursor after a row."""
    position = cursor_parts(page.cursor)
    return [*await uow.fetch(_OF_AUTHOR, author_id, viewer_id, *position, page.limit + 1)]


def _stored(value: list[dict[str, Any]] | list[Attachment] | Place | PollDefinition | None) -> str | None:
    return orjson.dumps(value).decode() if value else None
