"""SQL of highlights."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.posts.model import Audience
from features.posts.privacy import in_audience
from features.profiles.queries import joined, person_columns
from features.relationships.queries import lock_list, own_list
from features.stories.privacy import visible_to
from features.stories.store import AUTHOR, FIRST, LAST, Row, after, columns

_TABLE = f"story_highlights as highlights {joined('author', 'highlights.author_id')}"


def _columns(viewer: str) -> str:
    return f"""highlights.id::text as id, highlights.author_id::text as author_id, {person_columns("author")},
        highlights.title, highlights.audience, highlights.created_at,
        case when highlights.author_id = {viewer} then highlights.list_id::text end as list_id,
        (select count(*) from highlighted_stories where highlight_id = highlights.id) as stories"""


def _visible_to(viewer: str) -> str:
    """Returns a predicate on `highlights`: the viewer belongs to the audience."""
    return in_audience("highlights", "highlights.author_id", viewer)


_LOCK_OWN = "select pg_advisory_xact_lock(hashtextextended('highlights:' || $1::uuid::text, 0))"


async def lock_own(uow: UnitOfWork, author_id: UUID) -> int:
    """Returns how many highlights an account has; nobody adds one until the unit of work ends."""
    await uow.execute(_LOCK_OWN, author_id)
    return int(await uow.fetchval("select count(*) from story_highlights where author_id = $1", author_id))


_INSERT = f"""
insert into story_highlights (id, author_id, title, audience, list_id, created_at)
select $1, $2, $3, $4, $5, $6 where $5::uuid is null or {own_list("$5", "$2")}
"""


async def insert(
    uow: UnitOfWork,
    highlight_id: UUID,
    author_id: UUID,
    title: str,
    audience: Audience,
    list_id: UUID | None,
    now: datetime,
) -> bool:
    """Stores a highlight. Returns False if its list is not the author's."""
    return await uow.execute(_INSERT, highlight_id, author_id, title, audience, list_id, now) == "INSERT 0 1"


_FIND = f"select {_columns('$2::uuid')} from {_TABLE} where highlights.id = $1 and {_visible_to('$2::uuid')}"


async def find(uow: UnitOfWork, highlight_id: UUID, viewer_id: UUID | None) -> Row | None:
    """Returns a highlight if the viewer may see it."""
    return await uow.fetchrow(_FIND, highlight_id, viewer_id)


# As with posts: deleting a list locks it before the highlights that refer to it.
_LOCK_LIST = lock_list("(select list_id from story_highlights where id = $1 and author_id = $2)")
_LOCK = f"{_FIND} for update of highlights"


async def lock(uow: UnitOfWork, highlight_id: UUID, viewer_id: UUID) -> Row | None:
    """Returns a highlight that the viewer may see, locked until the unit of work ends."""
    await uow.execute(_LOCK_LIST, highlight_id, viewer_id)
    return await uow.fetchrow(_LOCK, highlight_id, viewer_id)


_OF_AUTHOR = f"""
select {_columns("$2::uuid")} from {_TABLE}
where highlights.author_id = $1 and {_visible_to("$2::uuid")}
    and (highlights.author_id = $2
        or exists (select from highlighted_stories where highlight_id = highlights.id))
    and (highlights.created_at, highlights.id) < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, {LAST}))
order by highlights.created_at desc, highlights.id desc limit $5
"""


async def of_author(uow: UnitOfWork, author_id: UUID, viewer_id: UUID | None, page: PageRequest) -> list[Row]:
    """Returns an author's highlights that the viewer may see, newest first, one more than the page holds. Empty ones
    are listed for the author only."""
    return [*await uow.fetch(_OF_AUTHOR, author_id, viewer_id, *after(page), page.limit + 1)]


_UPDATE = f"""
update story_highlights set title = $3, audience = $4, list_id = $5
where id = $1 and author_id = $2 and ($5::uuid is null or {own_list("$5", "$2")})
"""


async def update(
    uow: UnitOfWork, highlight_id: UUID, author_id: UUID, title: str, audience: Audience, list_id: UUID | None
) -> bool:
    """Changes a highlight. Returns False if the list is not the author's."""
    return await uow.execute(_UPDATE, highlight_id, author_id, title, audience, list_id) == "UPDATE 1"


_NEXT_EPOCHS = """
update stories set media_epoch = media_epoch + 1
where id in (select story_id from highlighted_stories where highlight_id = $1 and ($2::uuid is null or story_id = $2))
"""


async def end_addresses(uow: UnitOfWork, highlight_id: UUID, story_id: UUID | None = None) -> None:
    """Ends the addresses that were given out of the media of a highlight's stories, or of one of them."""
    await uow.execute(_NEXT_EPOCHS, highlight_id, story_id)


async def delete(uow: UnitOfWork, highlight_id: UUID, author_id: UUID) -> None:
    """Deletes a highlight. Its stories stay."""
    await uow.execute("delete from story_highlights where id = $1 and author_id = $2", highlight_id, author_id)


_ADD = """
insert into highlighted_stories (highlight_id, story_id)
select $1, id from stories where id = $2 and author_id = $3 for key share on conflict do nothing
"""


async def add(uow: UnitOfWork, highlight_id: UUID, story_id: UUID, author_id: UUID) -> int:
    """Adds a story of the author to a highlight of the author, which is locked. Returns how many it has then."""
    await uow.execute(_ADD, highlight_id, story_id, author_id)
    return int(await uow.fetchval("select count(*) from highlighted_stories where highlight_id = $1", highlight_id))


async def remove(uow: UnitOfWork, highlight_id: UUID, story_id: UUID) -> None:
    """Takes a story out of a highlight."""
    sql = "delete from highlighted_stories where highlight_id = $1 and story_id = $2"
    await uow.execute(sql, highlight_id, story_id)


_STORIES = f"""
select {columns("$2::uuid")} from highlighted_stories join stories on stories.id = story_id {AUTHOR}
where highlight_id = $1 and {visible_to("$2::uuid", "$3::timestamptz")}
    and (stories.created_at, stories.id) > (coalesce($4::timestamptz, '-infinity'), coalesce($5::uuid, {FIRST}))
order by stories.created_at, stories.id limit $6
"""


async def stories_in(
    uow: UnitOfWork, highlight_id: UUID, viewer_id: UUID | None, now: datetime, page: PageRequest
) -> list[Row]:
    """Returns the stories of a highlight that the viewer may see, oldest first, one more than the page holds."""
    return [*await uow.fetch(_STORIES, highlight_id, viewer_id, now, *after(page), page.limit + 1)]


_ERASE = """
delete from story_highlights where ctid = any(array(
    select ctid from story_highlights where author_id = $1 limit $2 for update
))
"""


async def erase(uow: UnitOfWork, author_id: UUID, limit: int) -> bool:
    """Deletes up to `limit` highlights of an account. Returns whether there may be more."""
    tag: Any = await uow.execute(_ERASE, author_id, limit)
    return bool(tag == f"DELETE {limit}")
