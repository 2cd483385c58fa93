"""SQL of the feed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.feed.machine import (
    CLOSE_FRIENDS,
    CONNECTIONS,
    EVERYTHING,
    LIST,
    ONLY_ME,
    PUBLIC,
    Entry,
    Rights,
)
from features.feed.policy import FeedPolicy
from features.paging import PageRequest
from features.posts import queries as posts
from features.posts.model import Audience
from features.posts.privacy import audiences
from features.posts.views import Row, cursor_parts
from features.relationships import queries as relationships
from features.relationships.visibility import has_blocked, in_list, muted

BITS = {
    Audience.PUBLIC: PUBLIC,
    Audience.CONNECTIONS: CONNECTIONS,
    Audience.CLOSE_FRIENDS: CLOSE_FRIENDS,
    Audience.LIST: LIST,
    Audience.ONLY_ME: ONLY_ME,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_FOLLOWED = f"""
    select id, {audiences("followed.id", "$1")} as audiences
    from ({relationships.followed("$1")} union all select $1) as followed
    where not {muted("$1", "followed.id")} and not {inactive("followed.id")}
"""

_NEWEST = posts.newest_posts(_FOLLOWED)


async def newest(uow: UnitOfWork, viewer_id: UUID, page: PageRequest) -> list[Row]:
    """Returns the newest posts of the viewer and of those whose audience the viewer is in, without muted authors: one
    more than the page holds."""
    return [*await uow.fetch(_NEWEST, viewer_id, *cursor_parts(page.cursor), page.limit + 1)]


# --- loading timelines -------------------------------------------------------------------------------------------

_ENTRIES = posts.newest_keys(_FOLLOWED)

_RIGHTS = f"""
with authors as materialized ({_FOLLOWED})
select
    array(select id from authors order by id) as authors,
    array(select array_to_string(audiences, ' ') from authors order by id) as audiences,
    array(select id from authors where id <> $1 and {relationships.audience_size("id")} > $2) as high_fan_out,
    array({relationships.lists_with("$1", owners="select id from authors", limit="$3")}) as on_lists,
    array({relationships.separated_from("$1", limit="$4")}) as blocked
"""


async def rights(uow: UnitOfWork, reader_id: UUID, policy: FeedPolicy) -> Rights:
    """Returns whose posts belong to a reader's feed, and which audiences of each author the reader belongs to."""
    most = policy.max_lists, policy.max_blocks
    row = await uow.fetchrow(_RIGHTS, reader_id, policy.merged_above, *(count + 1 for count in most))
    assert row is not None
    masks = [sum(BITS[Audience(name)] for name in names.split()) for names in row["audiences"]]
    authors = {author.bytes: mask for author, mask in zip(row["authors"], masks, strict=True)}
    if reader_id.bytes in authors:
        authors[reader_id.bytes] = EVERYTHING
    return Rights(
        authors,
        lists=_up_to(policy.max_lists, row["on_lists"]),
        blocked=_up_to(policy.max_blocks, row["blocked"]),
        high_fan_out=frozenset(author.bytes for author in row["high_fan_out"]),
    )


def _up_to(count: int, ids: Sequence[UUID]) -> frozenset[bytes] | None:
    return None if len(ids) > count else frozenset(id.bytes for id in ids)


async def entries(uow: UnitOfWork, reader_id: UUID, *, limit: int) -> list[Entry]:
    """Returns the newest posts of a reader's feed."""
    return [entry_of(row) for row in await uow.fetch(_ENTRIES, reader_id, None, None, limit)]


async def own_entries(uow: UnitOfWork, author_id: UUID, *, limit: int) -> list[Entry]:
    """Returns an author's newest posts of every audience."""
    return [entry_of(row) for row in await uow.fetch(posts.KEYS_OF_AUTHOR, author_id, limit)]


def entry_of(row: Row) -> Entry:
    """Converts a row with the columns of `posts.queries.KEY`."""
    list_id = row["list_id"]
    return Entry(
        micros(row["created_at"]),
        row["id"].bytes,
        row["author_id"].bytes,
        BITS[Audience(row["audience"])],
        list_id.bytes if list_id else b"",
    )


def micros(at: datetime) -> int:
    """Returns the exact number of microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """Returns the time of a number from `micros`."""
    return _EPOCH + at * _MICROSECOND


# --- rendering pages ---------------------------------------------------------------------------------------------


async def shown(uow: UnitOfWork, viewer_id: UUID, post_ids: Sequence[UUID]) -> list[Row]:
    """Returns those of the posts that the viewer may see, in no order. `went_to` is each post's list; it is not to be
    shown."""
    return [*await uow.fetch(posts.POSTS_SHOWN, viewer_id, post_ids)]


_AMONG = f"""
select
    array(select id from unnest($2::uuid[]) as list(id) where {in_list("id", "$1")}) as lists,
    array(select id from unnest($3::uuid[]) as person(id)
        where {has_blocked("id", "$1")} or {has_blocked("$1", "id")}) as blocked
"""


@dataclass(frozen=True, slots=True)
class ListsAndBlocks:
    """Lists that a reader is on, and people whom a block separates from the reader."""

    lists: frozenset[bytes] = frozenset()
    blocked: frozenset[bytes] = frozenset()


async def among(
    uow: UnitOfWork, reader_id: UUID, list_ids: Collection[bytes], people: Collection[bytes]
) -> ListsAndBlocks:
    """Returns those of the lists that the reader is on, and those of the people whom a block separates from the
    reader. For a reader with more of them than a timeline keeps."""
    row = await uow.fetchrow(_AMONG, reader_id, *([UUID(bytes=id) for id in ids] for ids in (list_ids, people)))
    assert row is not None
    return ListsAndBlocks(*(frozenset(id.bytes for id in row[column]) for column in ("lists", "blocked")))


# --- delivery ----------------------------------------------------------------------------------------------------

_DELIVERIES = f"""
select post.*, {relationships.audience_size("post.author_id")} as audience_size,
    array({relationships.audience("post.author_id", after=f"'{UUID(int=0)}'", limit="$2")}) as readers
from ({posts.KEYS_OF_POSTS}) as post
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A post's present state, the number of people in its author's audience, and the first of them by id."""

    entry: Entry
    audience_size: int
    first_readers: list[UUID]


async def deliveries(uow: UnitOfWork, post_ids: Collection[UUID], *, readers: int) -> dict[UUID, Delivery]:
    """Returns what is needed to deliver posts, each with up to so many readers, without deleted posts. One statement,
    which begins no transaction: none stays open while posts are delivered."""
    rows = await uow.read(_DELIVERIES, list(post_ids), readers)
    return {row["id"]: Delivery(entry_of(row), int(row["audience_size"] or 0), row["readers"]) for row in rows}


_READERS = relationships.audience("$1", after="$2", limit="$3")


async def readers(uow: UnitOfWork, author_id: UUID, *, after_id: UUID, limit: int) -> list[UUID]:
    """Returns up to `limit` readers in the author's audience, in the order of their ids."""
    return [row["viewer_id"] for row in await uow.fetch(_READERS, author_id, after_id, limit)]


async def audience_size(uow: UnitOfWork, author_id: UUID) -> int:
    """Returns how many people are in the author's audience."""
    return int(await uow.fetchval(f"select {relationships.audience_size('$1')}", author_id) or 0)
