"""Converts rows to posts as one reader sees them. Every statement that lists posts, in this slice or in one that builds
on it, selects `columns()` and passes its rows to `views()`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters import queries as counters
from features.counters.model import COMMENTS, reactions_view
from features.paging import Cursor
from features.posts.attachment_views import attachment_views
from features.posts.model import Author, Entity, PollView, PostView
from features.posts.poll_views import poll_views
from features.profiles.queries import joined, visible_usernames


class Row(Protocol):
    """A row of a result: columns by name."""

    def __getitem__(self, column: str, /) -> Any: ...


AUTHOR = joined("author", "posts.author_id")
"""The join that `columns()` needs for the author's names."""

NEWEST_FIRST = "order by posts.created_at desc, posts.id desc"


def columns(viewer: str) -> str:
    """Returns the columns of a post for a viewer (an SQL expression), from ``posts`` and ``author``. The list of a post
    is selected for its author only."""
    return f"""
        posts.id::text as id, posts.author_id::text as author_id, author.username, author.name, posts.text,
        posts.entities, posts.audience, posts.content_warning, posts.place, posts.pinned_at, posts.created_at,
        posts.edited_at, posts.poll, posts.media, posts.media_epoch,
        case when posts.author_id = {viewer} then posts.list_id::text end as list_id,
        {counters.columns("posts.id", viewer)}"""


def after(at: str, id: str, *, key: str = "posts.created_at, posts.id") -> str:
    """Returns the keyset condition of a newest-first list: rows after the cursor whose parts are the parameters `at`
    and `id`; all rows if they are null."""
    latest = "'ffffffff-ffff-ffff-ffff-ffffffffffff'"
    return f"""(({key})
        < (coalesce({at}::timestamptz, 'infinity'), coalesce({id}::uuid, {latest}::uuid)))"""


def cursor_parts(cursor: Cursor | None) -> tuple[datetime | None, UUID | None]:
    """Returns the two parameters of `after`."""
    return (cursor.at, cursor.id) if cursor else (None, None)


def view_cursor(view: PostView) -> Cursor:
    """Returns the cursor of the page after this post."""
    return Cursor(view["created_at"], UUID(view["id"]))


async def views(uow: UnitOfWork, viewer_id: UUID | None, rows: Sequence[Row], now: datetime) -> list[PostView]:
    """Converts rows to posts. Costs one statement if a post mentions somebody, and one if a post has a poll."""
    usernames = await mentioned(uow, viewer_id, [row["entities"] for row in rows])
    polls = await poll_views(uow, viewer_id, {row["id"]: row["poll"] for row in rows if row["poll"]}, now)
    return views_naming(rows, usernames, polls)


def views_naming(rows: Sequence[Row], usernames: Mapping[UUID, str], polls: Mapping[str, PollView]) -> list[PostView]:
    """Converts rows to posts. `usernames` comes from `mentioned`, or was read with the rows; `polls`, by the ids of
    posts, from `poll_views`: a poll that is not among them is left out."""
    authors: dict[str, Author] = {}
    posts: list[PostView] = []
    for row in rows:
        author_id, counted = row["author_id"], counters.counted(row)
        author = authors.get(author_id)
        if author is None:
            author = {"id": author_id, "username": row["username"], "name": row["name"]}
            authors[author_id] = author
        stored = row["entities"]
        posts.append(
            {
                "id": row["id"],
                "author": author,
                "text": row["text"],
                "entities": entities_of(stored, usernames) if stored else [],
                "audience": row["audience"],
                "list_id": row["list_id"],
                "content_warning": row["content_warning"],
                "place": row["place"],
                "pinned": row["pinned_at"] is not None,
                "media": attachment_views(row["media"], row["audience"], row["media_epoch"]),
                "created_at": row["created_at"],
                "edited_at": row["edited_at"],
                "poll": polls.get(row["id"]),
                "comments": counted.counts.get(COMMENTS, 0),
                "reactions": reactions_view(counted),
            }
        )
    return posts


async def mentioned(
    uow: UnitOfWork, viewer_id: UUID | None, stored: Sequence[list[dict[str, Any]] | None]
) -> dict[UUID, str]:
    """Returns the present usernames of the people mentioned in stored entities, except those whom a block separates
    from the viewer: their mentions are plain text, as for a name that nobody has."""
    ids = {
        UUID(entity["account_id"]) for entities in stored if entities for entity in entities if "account_id" in entity
    }
    if not ids:
        return {}
    return await visible_usernames(uow, viewer_id, ids)


def entities_of(stored: list[dict[str, Any]] | None, usernames: Mapping[UUID, str]) -> list[Entity]:
    """Converts stored entities to those of a response. `usernames` comes from `mentioned`."""
    entities: list[Entity] = []
    for entity in stored or ():
        start, end = entity["start"], entity["end"]
        if "tag" in entity:
            entities.append({"kind": "hashtag", "tag": entity["tag"], "start": start, "end": end})
        elif username := usernames.get(UUID(entity["account_id"])):
            account_id = entity["account_id"]
            entities.append(
                {"kind": "mention", "account_id": account_id, "username": username, "start": start, "end": end}
            )
    return entities
