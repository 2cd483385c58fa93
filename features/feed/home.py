"""A page of the feed from what is in memory: which posts from the reader's timeline, how they look from the shelf.

What it shows is what the SQL feed would show: the timeline says whose posts and with which rights, the shelf says for
whom a post is now, and posts that are not at hand are read by a statement that carries `visible_to`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.feed import store
from features.feed.changes import ChangesReader
from features.feed.machine import OWN, Key, Page, may_see
from features.feed.ports import Feeds, FeedsUnavailable
from features.feed.shelf import Rendered, Shelf, json_of
from features.paging import Cursor, PageRequest
from features.posts.model import Audience
from features.posts.views import Row, views

FROM_SQL = Counter("entativa_feed_posts_read_total", "Posts that feeds had to read from Postgres")

_SPARE = 4
"""Posts asked for beyond a page, in case some may not be shown any more."""
_LOOKS = 4
"""Looks at one timeline before a page is left to Postgres."""

Source = Callable[[Key | None, int], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What decides for a reader, beside the rights for an author."""

    reader_id: UUID
    lists: frozenset[bytes]
    parted: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class HomeFeed:
    """The feed in memory, as one process reads it."""

    feeds: Feeds
    shelf: Shelf
    news: ChangesReader

    async def page(self, uow: UnitOfWork, reader_id: UUID, page: PageRequest) -> bytes | None:
        """A page as JSON; None: it lies further back than is kept. Raises FeedsUnavailable. `news` has been read for
        this request (api/admission.py does, with its rate limit)."""
        if not self.news.current:
            raise FeedsUnavailable("nobody knows what changed")
        after = (store.micros(page.cursor.at), page.cursor.id.bytes) if page.cursor else None
        wanted = page.limit + 1
        first = await self.feeds.page(reader_id.bytes, after, wanted + _SPARE)
        standing = _Standing(reader_id, first.lists, first.parted)
        found = await self._collect(uow, standing, partial(self.feeds.page, reader_id.bytes), first, wanted, None)
        if found is None:
            return None
        sources = [partial(self.feeds.author_page, author, audiences=mask) for author, mask in first.heavy.items()]
        pages = await asyncio.gather(*(source(after, wanted + _SPARE) for source in sources))
        for source, newest, rights in zip(sources, pages, first.heavy.values(), strict=True):
            theirs = await self._collect(uow, standing, source, newest, wanted, rights)
            if theirs is None:
                return None
            found += theirs
        if first.heavy:
            once = {post.key: post for post in found}
            found = [once[key] for key in sorted(once, reverse=True)]
        return _json(found, page.limit)

    async def _collect(
        self, uow: UnitOfWork, standing: _Standing, source: Source, page: Page, wanted: int, rights: int | None
    ) -> list[Rendered] | None:
        """The newest `wanted` posts of a timeline that may be shown, or all there are; None: it is not kept that far.
        `rights` stands for those in the page, where the timeline is not the reader's."""
        found: list[Rendered] = []
        for _ in range(_LOOKS):
            masks = page.rights if rights is None else bytes([rights]) * len(page.ids)
            found += await self._show(uow, standing, page.ids, masks)
            if len(found) >= wanted:
                return found
            if page.older:
                return None
            if page.whole:
                return found
            page = await source(page.last, wanted + _SPARE)
        return None

    async def _show(self, uow: UnitOfWork, standing: _Standing, ids: Sequence[bytes], rights: bytes) -> list[Rendered]:
        """Those of the posts that may be shown, as they are shown."""
        posts = self.shelf.get(ids)
        if None in posts:
            absent = [id for id, post in zip(ids, posts, strict=True) if post is None]
            read = await self._fetch(uow, standing.reader_id, absent)
            posts = [post or read.get(id) for id, post in zip(ids, posts, strict=True)]
        shown: list[Rendered] = []
        differing: set[bytes] = set()
        for post, mask in zip(posts, rights, strict=True):
            if post is None or not may_see(mask, post.audience, post.list_id, standing.lists):
                continue
            if (post.list_id and mask & OWN) or (post.mentions and not post.mentions.isdisjoint(standing.parted)):
                differing.add(post.id)
            shown.append(post)
        if differing:
            rows = await store.shown(uow, standing.reader_id, [UUID(bytes=id) for id in differing])
            theirs = {UUID(view["id"]).bytes: json_of(view) for view in await views(uow, standing.reader_id, rows)}
            alike = [post for post in shown if post.id in theirs or post.id not in differing]
            shown = [replace(post, body=theirs.get(post.id, post.body)) for post in alike]
        return shown

    async def _fetch(self, uow: UnitOfWork, reader_id: UUID, ids: list[bytes]) -> dict[bytes, Rendered]:
        """The posts that the reader may see, kept for everybody as those see them whom nothing parts from anybody."""
        FROM_SQL.inc(len(ids))
        fetch, posts = self.shelf.begin(current=self.news.current), []
        try:
            rows = await store.shown(uow, reader_id, [UUID(bytes=id) for id in ids])
            for row, view in zip(rows, await views(uow, None, rows), strict=True):
                view["list_id"] = None
                posts.append(_rendered(row, json_of(view)))
        finally:
            self.shelf.end(fetch, posts)
        return {post.id: post for post in posts}


def _rendered(row: Row, body: bytes) -> Rendered:
    went_to = row["went_to"]
    return Rendered(
        key=(store.micros(row["created_at"]), UUID(row["id"]).bytes),
        author=UUID(row["author_id"]).bytes,
        audience=store.BITS[Audience(row["audience"])],
        list_id=UUID(went_to).bytes if went_to else b"",
        mentions=frozenset(UUID(e["account_id"]).bytes for e in row["entities"] or () if "account_id" in e),
        body=body,
    )


def _json(found: Sequence[Rendered], limit: int) -> bytes:
    """The page as api/post_views.py describes it."""
    items = found[:limit]
    cursor = b"null"
    if len(found) > limit:
        at, id = items[-1].key
        cursor = b'"%s"' % Cursor(store.moment(at), UUID(bytes=id)).encode().encode()
    return b'{"items":[%s],"next_cursor":%s}' % (b",".join([post.body for post in items]), cursor)
