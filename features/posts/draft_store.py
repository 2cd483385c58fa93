"""SQL of drafts. A draft is read and changed by its author alone; one statement makes posts of drafts."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.paging import PageRequest
from features.posts.model import Audience
from features.posts.store import Draft
from features.posts.views import AUTHOR, Row, after, columns, cursor_parts
from features.relationships.queries import own_list

_COLUMNS = """id, text, audience, list_id, content_warning, place, poll, poll_duration_s, quoted_id, media,
    publish_at, problem, created_at, updated_at"""
_LOCK = "select pg_advisory_xact_lock(hashtextextended('posts.drafts:' || $1::uuid::text, 0))"


async def lock(uow: UnitOfWork, author_id: UUID) -> int:
    """Returns how many drafts an account has; nobody adds one until the unit of work ends."""
    await uow.execute(_LOCK, author_id)
    return int(await uow.fetchval("select count(*) from post_drafts where author_id = $1", author_id))


_LIST_FITS = f"($7::uuid is null or {own_list('$7', '$2')})"
_INSERT = f"""
insert into post_drafts (id, author_id, text, entities, tags, audience, list_id, content_warning, place, poll,
    poll_duration_s, quoted_id, publish_at, updated_at, created_at, media)
select $1, $2, $3, $4::jsonb, $5::text[], $6, $7, $8, $9::jsonb, $10::jsonb, $11, $12, $13, $14, $14, $15::jsonb
where {_LIST_FITS}
returning {_COLUMNS}
"""
_UPDATE = f"""
update post_drafts set text = $3, entities = $4::jsonb, tags = $5::text[], audience = $6, list_id = $7,
    content_warning = $8, place = $9::jsonb, poll = $10::jsonb, poll_duration_s = $11, quoted_id = $12,
    publish_at = $13, updated_at = $14, media = $15::jsonb, problem = null
where id = $1 and author_id = $2 and {_LIST_FITS}
returning {_COLUMNS}
"""


async def insert(
    uow: UnitOfWork, draft_id: UUID, author_id: UUID, draft: Draft, publish_at: datetime | None, now: datetime
) -> Row | None:
    """Inserts a draft. Returns None if its list is not the author's."""
    return await uow.fetchrow(_INSERT, *_arguments(draft_id, author_id, draft, publish_at, now))


async def update(
    uow: UnitOfWork, draft_id: UUID, author_id: UUID, draft: Draft, publish_at: datetime | None, now: datetime
) -> Row | None:
    """Replaces a draft of the author, which exists. Returns None if its list is not the author's."""
    return await uow.fetchrow(_UPDATE, *_arguments(draft_id, author_id, draft, publish_at, now))


def _arguments(draft_id: UUID, author_id: UUID, draft: Draft, publish_at: datetime | None, now: datetime) -> list[Any]:
    # A poll closes some time after its publication, so a draft has how long.
    poll = draft.poll and {name: value for name, value in draft.poll.items() if name != "closes_at"}
    return [
        draft_id,
        author_id,
        draft.text,
        _json(draft.entities),
        draft.tags,
        draft.audience,
        draft.list_id,
        draft.content_warning,
        _json(draft.place),
        _json(poll),
        draft.poll_duration_s,
        draft.quoted_id,
        publish_at,
        now,
        _json(draft.media),
    ]


def _json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value else None


_FIND = f"select {_COLUMNS} from post_drafts where id = $1 and author_id = $2"


async def find(uow: UnitOfWork, draft_id: UUID, author_id: UUID) -> Row | None:
    """Returns a draft of the author."""
    return await uow.fetchrow(_FIND, draft_id, author_id)


async def lock_draft(uow: UnitOfWork, draft_id: UUID, author_id: UUID) -> Row | None:
    """Returns a draft of the author, which is neither changed nor published until the unit of work ends."""
    return await uow.fetchrow(f"{_FIND} for update", draft_id, author_id)


_OF_AUTHOR = f"""
select {_COLUMNS} from post_drafts
where author_id = $1 and ($5::bool is null or (publish_at is not null) = $5)
    and {after("$2", "$3", key="created_at, id")}
order by created_at desc, id desc limit $4
"""


async def of_author(uow: UnitOfWork, author_id: UUID, scheduled: bool | None, page: PageRequest) -> list[Row]:
    """Returns an account's drafts, newest first, one more than the page holds. `scheduled`: only those with a time of
    publication, or only those without."""
    return [*await uow.fetch(_OF_AUTHOR, author_id, *cursor_parts(page.cursor), page.limit + 1, scheduled)]


async def delete(uow: UnitOfWork, draft_id: UUID, author_id: UUID) -> bool:
    """Deletes a draft of the author. Returns whether there was one."""
    tag = await uow.execute("delete from post_drafts where id = $1 and author_id = $2", draft_id, author_id)
    return tag == "DELETE 1"


_ERASE = "delete from post_drafts where ctid = any(array(select ctid from post_drafts where author_id = $1 limit $2))"


async def erase(uow: UnitOfWork, author_id: UUID, limit: int) -> bool:
    """Deletes up to `limit` drafts of an account. Returns whether there may be more."""
    tag = await uow.execute(_ERASE, author_id, limit)
    return int(tag.removeprefix("DELETE ")) == limit


_CLOSES_AT = """to_char(
            ($1::timestamptz + allowed.poll_duration_s * interval '1 second') at time zone 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _publish(which: str) -> str:
    """A statement that makes posts of the drafts `which`, at the time $1, and returns them. It deletes these drafts, so
    that none is published twice, whoever tries. One whose list is deleted stays, without a time of publication."""
    return f"""
with due as (
    select * from post_drafts as drafts where {which}
), allowed as (
    select * from due where audience <> '{Audience.LIST}' or {own_list("due.list_id", "due.author_id")}
), published as (
    insert into posts (id, author_id, text, entities, audience, list_id, created_at, content_warning, place, quoted_id,
        media, poll)
    select id, author_id, text, entities, audience, list_id, $1, content_warning, place, quoted_id, media,
        poll || jsonb_build_object('closes_at', {_CLOSES_AT})
    from allowed returning *
), tagged as (
    insert into post_hashtags (tag, created_at, post_id, audience, author_id, list_id)
    select tag, $1, allowed.id, allowed.audience, allowed.author_id, allowed.list_id
    from allowed cross join unnest(allowed.tags) as tag
), deleted as (
    delete from post_drafts using allowed where post_drafts.id = allowed.id
), refused as (
    update post_drafts set publish_at = null, problem = 'unknown_list' from due
    where post_drafts.id = due.id and not exists (select from allowed where allowed.id = due.id)
)
select {columns("posts.author_id")} from published as posts {AUTHOR}
"""


_PUBLISH = _publish("drafts.id = $2 and drafts.author_id = $3 for update")
_ACTIVE = f"not {inactive('drafts.author_id')}"
_PUBLISH_DUE = _publish(
    f"drafts.publish_at <= $1 and {_ACTIVE} order by drafts.publish_at limit $2 for update of drafts skip locked"
)
_NEXT_DUE = f"select min(publish_at) from post_drafts as drafts where publish_at is not null and {_ACTIVE}"


async def publish(uow: UnitOfWork, draft_id: UUID, author_id: UUID, now: datetime) -> Row | None:
    """Makes a post of a draft of the author. Returns None if its list is not the author's."""
    return await uow.fetchrow(_PUBLISH, now, draft_id, author_id)


async def publish_due(uow: UnitOfWork, now: datetime, limit: int) -> list[Row]:
    """Makes posts of up to `limit` drafts whose time has come, without those that another process is publishing and
    those of authors who are not active."""
    return [*await uow.fetch(_PUBLISH_DUE, now, limit)]


async def next_due(uow: UnitOfWork) -> datetime | None:
    """Returns when the next draft is to be published."""
    found: datetime | None = await uow.fetchval(_NEXT_DUE)
    return found
