"""Converts rows to posts as one reader sees them. Every statement that lists posts, in this slice or in one that builds
on it, selects `columns()` and passes its rows to `views()`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters import queries as counters
from features.counters.model import COMMENTS, QUOTES, REPOSTS, reactions_view
from features.paging import Cursor
from features.posts.attachment_views import attachment_views
from features.posts.model import Author, Entity, PollView, PostContent, PostNumbers, PostView, SharedContent, ShareKind
from features.posts.poll_views import poll_views
from features.posts.privacy import visible_to
from features.profiles.images import avatar_view
from features.profiles.queries import joined, person_columns, visible_usernames
from features.relationships.visibility import apart


class Row(Protocol):
    """A row of a result: columns by name."""

    def __getitem__(self, column: str, /) -> Any: ...


AUTHOR = joined("author", "posts.author_id")
"""The join that `columns()` needs for what is shown of the author."""

NEWEST_FIRST = "order by posts.created_at desc, posts.id desc"


def columns(viewer: str) -> str:
    """Returns the columns of a post for a viewer (an SQL expression), from ``posts`` and ``author``. The list of a post
    is selected for its author only."""
    return f"""
        posts.id::text as id, posts.author_id::text as author_id, {person_columns("author")}, posts.text,
        posts.entities, posts.audience, posts.content_warning, posts.place, posts.pinned_at, posts.created_at,
        posts.edited_at, posts.poll, posts.media, posts.media_epoch, posts.link,
        coalesce(posts.quoted_id, posts.reposted_id)::text as shared_id, posts.reposted_id is not null as is_repost,
        case when posts.author_id = {viewer} then posts.list_id::text end as list_id,
        exists (select from posts as own where own.author_id = {viewer} and own.reposted_id = posts.id) as reposted,
        exists (select from saved_posts where account_id = {viewer} and post_id = posts.id) as saved,
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
    """Converts rows to posts. Costs one statement if a post mentions somebody, one if a post has a poll, and one if a
    post shares another one."""
    shared = await shared_rows(uow, viewer_id, rows)
    polls = await poll_views(uow, viewer_id, {row["id"]: row["poll"] for row in (*rows, *shared) if row["poll"]}, now)
    return await views_sharing(uow, viewer_id, rows, shared, polls)


async def views_sharing(
    uow: UnitOfWork,
    viewer_id: UUID | None,
    rows: Sequence[Row],
    shared: Sequence[Row],
    polls: Mapping[str, PollView],
) -> list[PostView]:
    """Converts rows to posts. `shared` comes from `shared_rows`, `polls` as for `views_naming`. Costs one statement if
    a post mentions somebody."""
    usernames = await mentioned(uow, viewer_id, [row["entities"] for row in (*rows, *shared)])
    contents = {(row["id"], row["shared_by"]): shared_content(row, usernames, polls) for row in shared}
    return views_naming(rows, usernames, polls, contents)


def views_naming(
    rows: Sequence[Row],
    usernames: Mapping[str, str],
    polls: Mapping[str, PollView],
    shared: Mapping[tuple[str, str], SharedContent],
) -> list[PostView]:
    """Converts rows to posts. `usernames` comes from `mentioned`, or was read with the rows; `polls`, by the ids of
    posts, from `poll_views`: a poll that is not among them is left out. `shared` has the shared posts that the viewer
    may see, by their ids and the ids of those who share them."""
    return [
        {
            **content_of(row, usernames),
            "shared": None
            if row["shared_id"] is None
            else {
                "kind": ShareKind.REPOST if row["is_repost"] else ShareKind.QUOTE,
                "post": shared.get((row["shared_id"], row["author_id"])),
            },
            "poll": polls.get(row["id"]),
            **_numbers_of(row),
        }
        for row in rows
    ]


def shared_content(row: Row, usernames: Mapping[str, str], polls: Mapping[str, PollView]) -> SharedContent:
    """Converts the row of a post that another one shares. `polls` as for `views_naming`."""
    return {**content_of(row, usernames), "poll": polls.get(row["id"]), **_numbers_of(row)}


def _numbers_of(row: Row) -> PostNumbers:
    counted = counters.counted(row)
    return {
        "reposted": row["reposted"],
        "saved": row["saved"],
        "comments": counted.counts.get(COMMENTS, 0),
        "reposts": counted.counts.get(REPOSTS, 0),
        "quotes": counted.counts.get(QUOTES, 0),
        "reactions": reactions_view(counted),
    }


def author_of(row: Row) -> Author:
    """Returns the author from a row with its id and the columns `person_columns`."""
    return {
        "id": row["author_id"],
        "username": row["username"],
        "name": row["name"],
        "avatar": avatar_view(row["avatar"]),
    }


def content_of(row: Row, usernames: Mapping[str, str]) -> PostContent:
    """Converts a row to a post without what it shares, its poll and its counts."""
    stored = row["entities"]
    return {
        "id": row["id"],
        "author": author_of(row),
        "text": row["text"],
        "entities": entities_of(stored, usernames) if stored else [],
        "audience": row["audience"],
        "list_id": row["list_id"],
        "content_warning": row["content_warning"],
        "place": row["place"],
        "pinned": row["pinned_at"] is not None,
        "media": attachment_views(row["media"], row["audience"], row["media_epoch"]),
        "link": row["link"] if row["link"] and row["link"]["title"] else None,
        "created_at": row["created_at"],
        "edited_at": row["edited_at"],
    }


_SHARED = f"""
select {columns("$1::uuid")}, share.by::text as shared_by
from unnest($2::uuid[], $3::uuid[]) as share (id, by) join posts on posts.id = share.id {AUTHOR}
where {visible_to("$1::uuid")} and not {apart("posts.author_id", "share.by")}
"""


async def shared_rows(uow: UnitOfWork, viewer_id: UUID | None, rows: Sequence[Row]) -> Sequence[Row]:
    """Returns the posts that these posts share, as far as the viewer may see them, each with `shared_by`: without those
    whose author and whoever shares them are apart."""
    shares = {(row["shared_id"], row["author_id"]) for row in rows if row["shared_id"] is not None}
    if not shares:
        return ()
    return await uow.fetch(_SHARED, viewer_id, *([UUID(id) for id in ids] for ids in zip(*shares, strict=True)))


async def mentioned(
    uow: UnitOfWork, viewer_id: UUID | None, stored: Sequence[list[dict[str, Any]] | None]
) -> dict[str, str]:
    """Returns the present usernames of the people mentioned in stored entities, by their ids, except those whom a block
    separates from the viewer: their mentions are plain text, as for a name that nobody has."""
    ids = {entity["account_id"] for entities in stored if entities for entity in entities if "account_id" in entity}
    if not ids:
        return {}
    return await visible_usernames(uow, viewer_id, ids)


def entities_of(stored: list[dict[str, Any]] | None, usernames: Mapping[str, str]) -> list[Entity]:
    """Converts stored entities to those of a response. `usernames` comes from `mentioned`."""
    entities: list[Entity] = []
    for entity in stored or ():
        start, end = entity["start"], entity["end"]
        if "tag" in entity:
            entities.append({"kind": "hashtag", "tag": entity["tag"], "start": start, "end": end})
        elif username := usernames.get(account_id := entity["account_id"]):
            entities.append(
                {"kind": "mention", "account_id": account_id, "username": username, "start": start, "end": end}
            )
    return entities
