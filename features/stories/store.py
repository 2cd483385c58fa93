"""SQL of stories. Every statement that can show a story to others has the rule of privacy.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.bounded_lists import Found, looked_at, split, with_bound
from features.counters import queries as counters
from features.counters.model import VIEWERS, ReactionKind
from features.media.model import StoredFile
from features.media.queries import attached_file, holder
from features.paging import PageRequest
from features.posts.model import Appearance, Attachment, Audience
from features.profiles.model import Person
from features.profiles.queries import joined, person_columns, person_of
from features.relationships.queries import own_list
from features.relationships.visibility import apart, close_friend, connected
from features.settings.queries import chosen
from features.stories.model import StoryViewer
from features.stories.privacy import live, shown_to, visible_to
from features.stories.settings import REPLIES, SECTION

Row = Any
"""A row of a result: columns by name."""

_STORY = """stories.id::text as id, stories.author_id::text as author_id, stories.text, stories.media, stories.mentions,
    stories.audience, stories.created_at, stories.expires_at, stories.media_epoch"""
AUTHOR = joined("author", "stories.author_id")


def columns(viewer: str) -> str:
    """Returns the columns of a story for a viewer (an SQL expression), from ``stories`` and ``author``."""
    return f"""{_STORY}, {person_columns("author")},
        case when stories.author_id = {viewer} then stories.list_id::text end as list_id,
        coalesce(stories.author_id = {viewer}, false) or exists (
            select from story_views where story_id = stories.id and viewer_id = {viewer}
        ) as seen,
        {chosen("stories.author_id", SECTION, REPLIES)} as replies,
        {connected("stories.author_id", viewer)} as connected,
        {close_friend("stories.author_id", viewer)} as close_friend,
        {counters.reaction("stories.id", viewer)} as own_reaction,
        case when stories.author_id = {viewer} then {counters.counts("stories.id")} end as counts"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A story to be stored."""

    id: UUID
    author: Person
    text: str
    media: Attachment | None
    audience: Audience
    list_id: UUID | None
    created_at: datetime
    expires_at: datetime
    mentions: Sequence[dict[str, Any]]
    """As they are stored (mentions.py)."""


_LOCK_OWN = "select pg_advisory_xact_lock(hashtextextended('stories:' || $1::uuid::text, 0))"
_COUNT_LIVE = f"select count(*) from stories where author_id = $1 and {live('$2')}"


async def lock_live(uow: UnitOfWork, author_id: UUID, now: datetime) -> int:
    """Returns how many stories of an account have not expired; nobody adds one until the unit of work ends."""
    await uow.execute(_LOCK_OWN, author_id)
    return int(await uow.fetchval(_COUNT_LIVE, author_id, now))


_INSERT = f"""
insert into stories (id, author_id, text, media, audience, list_id, created_at, expires_at, mentions)
select $1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9::jsonb where $6::uuid is null or {own_list("$6", "$2")}
"""


async def insert(uow: UnitOfWork, draft: Draft) -> Row | None:
    """Stores a story. Returns its columns for its author; None if its list is not the author's."""
    tag = await uow.execute(
        _INSERT,
        draft.id,
        draft.author.id,
        draft.text,
        orjson.dumps(draft.media).decode() if draft.media else None,
        draft.audience,
        draft.list_id,
        draft.created_at,
        draft.expires_at,
        orjson.dumps(draft.mentions).decode() if draft.mentions else None,
    )
    if tag != "INSERT 0 1":
        return None
    return {
        "id": str(draft.id),
        "author_id": str(draft.author.id),
        "username": draft.author.username,
        "name": draft.author.name,
        "avatar": draft.author.avatar,
        "text": draft.text,
        "media": draft.media,
        "mentions": draft.mentions or None,
        "audience": draft.audience,
        "list_id": str(draft.list_id) if draft.list_id else None,
        "created_at": draft.created_at,
        "expires_at": draft.expires_at,
        "media_epoch": 0,
        "seen": True,
        "replies": None,
        "connected": False,
        "close_friend": False,
        "own_reaction": None,
        "counts": None,
    }


_FIND = f"""
select {columns("$2::uuid")} from stories {AUTHOR}
where stories.id = $1 and {visible_to("$2::uuid", "$3::timestamptz")}
"""


async def find(uow: UnitOfWork, story_id: UUID, viewer_id: UUID | None, now: datetime) -> Row | None:
    """Returns a story if the viewer may see it."""
    return await uow.fetchrow(_FIND, story_id, viewer_id, now)


FIRST = "'00000000-0000-0000-0000-000000000000'::uuid"
_LIVE = f"""
select {columns("$2::uuid")} from stories {AUTHOR}
where stories.author_id = $1 and {live("$3")} and {shown_to("$2::uuid")}
    and (stories.created_at, stories.id) > (coalesce($4::timestamptz, '-infinity'), coalesce($5::uuid, {FIRST}))
order by stories.created_at, stories.id limit $6
"""


async def live_of(
    uow: UnitOfWork, author_id: UUID, viewer_id: UUID | None, now: datetime, page: PageRequest
) -> list[Row]:
    """Returns an author's stories that have not expired and that the viewer may see, oldest first, one more than the
    page holds."""
    return [*await uow.fetch(_LIVE, author_id, viewer_id, now, *after(page), page.limit + 1)]


LAST = "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid"
_ARCHIVE = f"""
select {columns("$1")} from stories {AUTHOR}
where stories.author_id = $1 and not {live("$2")}
    and (stories.created_at, stories.id) < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, {LAST}))
order by stories.created_at desc, stories.id desc limit $5
"""


async def archive(uow: UnitOfWork, author_id: UUID, now: datetime, page: PageRequest) -> list[Row]:
    """Returns an author's stories that have expired, newest first, one more than the page holds."""
    return [*await uow.fetch(_ARCHIVE, author_id, now, *after(page), page.limit + 1)]


def after(page: PageRequest) -> tuple[datetime | None, UUID | None]:
    """Returns the sort key after which a page starts, as two parameters."""
    return (page.cursor.at, page.cursor.id) if page.cursor else (None, None)


_FILE = f"""
select file.content_type, file.size, file.digest
from ({attached_file("$1", "$3")}) as file join stories on stories.id = file.attached_to
where stories.media_epoch = $5 and {visible_to("$2::uuid", "$4::timestamptz")}
    and not {inactive("stories.author_id")}
"""


async def find_file(
    uow: UnitOfWork, media_id: UUID, viewer_id: UUID | None, epoch: int, name: str, now: datetime
) -> StoredFile | None:
    """Returns a file of a medium of a story that the viewer may see, by an address of this epoch."""
    row = await uow.fetchrow(_FILE, media_id, viewer_id, name, now, epoch)
    return None if row is None else StoredFile(row["content_type"], row["size"], row["digest"])


_SHOWN = f"""
select 1 from stories where stories.id = {holder("$1")} and stories.media_epoch = $4
    and {visible_to("$2::uuid", "$3::timestamptz")} and not {inactive("stories.author_id")}
"""


async def shows(uow: UnitOfWork, media_id: UUID, viewer_id: UUID | None, epoch: int, now: datetime) -> bool:
    """Returns whether a story that the viewer may see shows the medium, by an address of this epoch."""
    return await uow.fetchval(_SHOWN, media_id, viewer_id, now, epoch) is not None


_UPDATE_MEDIUM = f"update stories set media = media || $2::jsonb where id = {holder('$1')}"


async def update_medium(uow: UnitOfWork, media_id: UUID, appearance: Appearance) -> None:
    """Stores how a medium looks with the story that shows it, if one does."""
    await uow.execute(_UPDATE_MEDIUM, media_id, orjson.dumps(appearance).decode())


_DELETED = f"{_STORY}, stories.list_id::text as list_id"
_DELETE = f"delete from stories where id = $1 and author_id = $2 returning {_DELETED}"


async def delete(uow: UnitOfWork, story_id: UUID, author_id: UUID) -> Row | None:
    """Deletes a story of the author, with who has seen it. Returns it; None if there is none."""
    return await uow.fetchrow(_DELETE, story_id, author_id)


_DELETE_SOME = f"""
delete from stories where ctid = any(array(select ctid from stories where author_id = $1 limit $2 for update))
returning {_DELETED}
"""


async def delete_some(uow: UnitOfWork, author_id: UUID, limit: int) -> Sequence[Row]:
    """Deletes up to `limit` stories of an author. Returns them."""
    return await uow.fetch(_DELETE_SOME, author_id, limit)


# The lock keeps the story: it could be deleted between the two parts otherwise.
_RECORD = f"""
with story as materialized (
    select id, author_id from stories where stories.id = $1 and {visible_to("$2", "$3")} for key share
), recorded as (
    insert into story_views (story_id, viewer_id, author_id, viewed_at)
    select id, $2, author_id, $3 from story where author_id <> $2 on conflict do nothing returning story_id
)
select exists (select from story) as visible, exists (select from recorded) as recorded
"""


async def record_view(uow: UnitOfWork, story_id: UUID, viewer_id: UUID, now: datetime) -> bool:
    """Records that somebody has seen a story; the first time counts, and authors are not recorded. Returns False if the
    viewer may not see it."""
    row = await uow.fetchrow(_RECORD, story_id, viewer_id, now)
    assert row is not None
    if row["recorded"]:
        await counters.add(uow, [story_id], VIEWERS, viewer_id, 1)
    return bool(row["visible"])


_VIEWS = f"""story_views where story_id = $1
    and (viewed_at, viewer_id) < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, {LAST}))"""
_NOT_APART = f"select true where not {apart('$2', 'story_views.viewer_id')}"
_VIEWER = f"""
    select visible.viewer_id as id, {person_columns("viewer")}, visible.viewed_at,
        {counters.reaction("visible.story_id", "visible.viewer_id")} as reaction
    from visible {joined("viewer", "visible.viewer_id")}"""
_VIEWERS = f"""
with {looked_at("story_views", _VIEWS, order="viewed_at desc, viewer_id desc", shown=_NOT_APART, limit="$5")}
{with_bound(_VIEWER, at="viewed_at", id="viewer_id", order="shown.viewed_at desc, shown.id desc")}
"""


async def viewers(uow: UnitOfWork, story_id: UUID, author_id: UUID, page: PageRequest) -> Found:
    """Returns who has seen a story, newest first, without those who are apart from its author: one more than the page
    holds, for `viewer_of`."""
    return split(await uow.fetch(_VIEWERS, story_id, author_id, *after(page), page.limit + 1))


def viewer_of(row: Row) -> StoryViewer:
    """Converts a row of `viewers`."""
    reaction = ReactionKind(row["reaction"]) if row["reaction"] else None
    return StoryViewer(person_of(row, row["id"]), row["viewed_at"], reaction)


_FORGET = """
delete from story_views where ctid = any(array(
    select ctid from story_views where viewer_id = $1{of_author} limit $2 for update
)) returning story_id
"""
_FORGET_ALL = _FORGET.format(of_author="")
_FORGET_AUTHOR = _FORGET.format(of_author=" and author_id = $3")


async def forget_viewer(uow: UnitOfWork, viewer_id: UUID, author_id: UUID | None, limit: int | None) -> int:
    """Forgets up to `limit` stories, of an author or of all (None), that an account has seen. Returns how many."""
    if author_id is None:
        rows = await uow.fetch(_FORGET_ALL, viewer_id, limit)
    else:
        rows = await uow.fetch(_FORGET_AUTHOR, viewer_id, limit, author_id)
    if rows:
        await counters.add(uow, [row["story_id"] for row in rows], VIEWERS, viewer_id, -1)
    return len(rows)
