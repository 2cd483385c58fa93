"""Pages of the home feed from memory: post ids from timelines, rendered posts from the cache, reactions from counters.

The result equals that of the SQL feed: the timeline has the reader's rights for each author, the cache has each post's
present audience, and posts that are not cached are read by a statement with `visible_to`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from uuid import UUID

from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.counters.service import CounterService
from features.feed import store
from features.feed.author_heads import HEAD_POSTS, AuthorHeads, Head
from features.feed.invalidations import InvalidationReader
from features.feed.machine import OWN, Key, TimelinePage, may_see
from features.feed.merge import Merge
from features.feed.own_marks import OwnMarks
from features.feed.poll_results import PollResults
from features.feed.ports import AuthorRead, Feeds, FeedsUnavailable
from features.feed.render_cache import MARKED, RenderCache, RenderedPost, bodies_of, json_of
from features.paging import PageRequest, encode_position
from features.posts.model import Audience, PollDefinition, PostView
from features.posts.own_marks import Marks
from features.posts.polls import view_poll
from features.posts.views import Row, shared_rows, views, views_sharing

FROM_SQL = Counter("entativa_feed_posts_read_total", "Posts that feeds had to read from Postgres")

_SPARE = 4
"""Posts requested beyond a page, in case some may no longer be shown."""
_MAX_READS = 4
"""Reads of one timeline before the page comes from Postgres."""
_OWN = b""
"""The reader's own timeline among the sources of a merge."""


@dataclass(frozen=True, slots=True)
class _ReaderContext:
    """What decides what a reader may see, beside the rights for each author."""

    reader_id: UUID
    lists: frozenset[bytes] | None
    """See `machine.Rights`, as for `blocked`."""
    blocked: frozenset[bytes] | None
    now: datetime


@dataclass(frozen=True, slots=True)
class HomeFeed:
    """The home feed of one process."""

    feeds: Feeds
    counters: CounterService
    cache: RenderCache
    author_heads: AuthorHeads
    marks: OwnMarks
    polls: PollResults
    invalidations: InvalidationReader

    async def page(self, uow: UnitOfWork, reader_id: UUID, page: PageRequest, now: datetime) -> bytes | None:
        """Returns a page as JSON, or None if it lies further back than timelines reach. Raises FeedsUnavailable.

        `invalidations` must have been read for this request; api/admission.py does that."""
        if not self.invalidations.current:
            raise FeedsUnavailable("invalidations could not be read")
        after = (store.micros(page.cursor.at), page.cursor.id.bytes) if page.cursor else None
        wanted = page.limit + 1
        first = await self.feeds.page(reader_id.bytes, after, wanted + _SPARE)
        context = _ReaderContext(reader_id, first.lists, first.blocked, now)
        if first.high_fan_out:
            found = await self._merged(uow, context, first.high_fan_out, after, wanted)
        else:
            found = await self._collect(uow, context, first, wanted)
        return None if found is None else await self._json(uow, context, found, page.limit)

    async def _merged(
        self, uow: UnitOfWork, context: _ReaderContext, authors: Mapping[bytes, int], after: Key | None, wanted: int
    ) -> list[RenderedPost] | None:
        """Returns the newest `wanted` visible posts of the reader's timeline and of the authors' own, or all there are;
        None if one of them is not kept that far. `authors` are the reader's rights for each."""
        merge, found, batch = Merge(after), list[RenderedPost](), wanted + _SPARE
        await self._read_on(merge, context, authors, {_OWN: after}, batch)
        for author, head in (await self._heads(authors)).items():
            merge.add_head(author, head)
        shown = 0
        for _ in range(_MAX_READS):
            while behind := merge.behind(shown + batch):
                await self._read_on(merge, context, authors, behind, batch)
            posts, truncated = merge.newest(shown + batch)
            new = posts[shown:]
            found += await self._show(uow, context, [post[1] for post in new], bytes([post[2] for post in new]))
            if len(found) >= wanted:
                return found
            if truncated:
                return None
            if len(new) < batch:
                return found
            shown = len(posts)
        return None

    async def _heads(self, authors: Mapping[bytes, int]) -> dict[bytes, Head]:
        """Returns the newest posts of authors. `authors` are the reader's rights for each."""
        heads, reads = dict[bytes, Head](), list[AuthorRead]()
        now, changes = time.monotonic(), self.author_heads.changes
        for author, audiences in authors.items():
            head = self.author_heads.get(author, audiences, now)
            if head is None:
                reads.append(AuthorRead(author, None, audiences))
            else:
                heads[author] = head
        for read, page in zip(reads, await self.feeds.author_pages(reads, HEAD_POSTS) if reads else (), strict=True):
            head = heads[read.author] = Head.of(page, read.audiences, now)
            self.author_heads.put(read.author, read.audiences, head, changes)
        return heads

    async def _read_on(
        self,
        merge: Merge,
        context: _ReaderContext,
        authors: Mapping[bytes, int],
        sources: Mapping[bytes, Key | None],
        limit: int,
    ) -> None:
        """Reads the next page of each source, after the key given for it."""
        reads = [AuthorRead(author, key, authors[author]) for author, key in sources.items() if author != _OWN]
        if _OWN in sources:
            merge.add(_OWN, await self.feeds.page(context.reader_id.bytes, sources[_OWN], limit, times=True))
        for read, page in zip(reads, await self.feeds.author_pages(reads, limit) if reads else (), strict=True):
            merge.add(read.author, page, read.audiences)

    async def _collect(
        self, uow: UnitOfWork, context: _ReaderContext, page: TimelinePage, wanted: int
    ) -> list[RenderedPost] | None:
        """Returns the newest `wanted` visible posts of the reader's timeline, or all there are; None if it is not kept
        that far. `page` is its first page."""
        found: list[RenderedPost] = []
        for _ in range(_MAX_READS):
            found += await self._show(uow, context, page.ids, page.rights)
            if len(found) >= wanted:
                return found
            if page.truncated:
                return None
            if page.exhausted:
                return found
            page = await self.feeds.page(context.reader_id.bytes, page.last, wanted + _SPARE)
        return None

    async def _show(
        self, uow: UnitOfWork, context: _ReaderContext, ids: Sequence[bytes], rights: bytes
    ) -> list[RenderedPost]:
        """Returns the posts that the reader may see, rendered for the reader."""
        posts = self.cache.get(ids)
        if not all(posts):
            missing = [id for id, post in zip(ids, posts, strict=True) if post is None]
            fetched = await self._fetch(uow, context, missing)
            posts = [post or fetched.get(id) for id, post in zip(ids, posts, strict=True)]
        lists, blocked = context.lists, context.blocked
        if lists is None or blocked is None:
            among = await self._among(uow, context, posts)
            lists, blocked = among.lists, among.blocked
        shown: list[RenderedPost] = []
        differing: set[bytes] = set()
        for post, mask in zip(posts, rights, strict=True):
            if post is None or not mask & post.audience:
                continue
            if not post.alike:
                if not may_see(mask, post.audience, post.list_id, lists):
                    continue
                blocks = post.mentions and not post.mentions.isdisjoint(blocked)
                if (post.list_id and mask & OWN) or blocks or post.personal:
                    differing.add(post.id)
            shown.append(post)
        if differing:
            rows = await store.shown(uow, context.reader_id, [UUID(bytes=id) for id in differing])
            found = await views(uow, context.reader_id, rows, context.now)
            own = {UUID(view["id"]).bytes: json_of(view) for view in found}
            visible = [post for post in shown if post.id in own or post.id not in differing]
            shown = [
                replace(post, body=own[post.id], shared_body=b"", poll=None, shared_poll=None)
                if post.id in own
                else post
                for post in visible
            ]
        return shown

    async def _with_polls(
        self,
        uow: UnitOfWork,
        context: _ReaderContext,
        posts: Sequence[RenderedPost],
        polls: Mapping[bytes, PollDefinition],
        marks: Marks,
    ) -> list[RenderedPost]:
        """Returns the posts with their polls as the reader sees them."""
        results, votes = await self.polls.read(uow, polls, context.now), marks.votes or {}
        own = {id: view_poll(poll, replace(results[id], own=votes.get(id)), context.now) for id, poll in polls.items()}
        return [post.with_polls(own) if post.polls else post for post in posts]

    async def _among(
        self, uow: UnitOfWork, context: _ReaderContext, posts: Sequence[RenderedPost | None]
    ) -> store.ListsAndBlocks:
        """Returns the reader's lists and blocked people as far as these posts need them: from Postgres where the
        timeline does not have them."""
        present = [post for post in posts if post is not None]
        lists = {post.list_id for post in present if post.list_id} if context.lists is None else set[bytes]()
        people = {id for post in present for id in post.mentions} if context.blocked is None else set[bytes]()
        found = store.ListsAndBlocks()
        if lists or people:
            found = await store.among(uow, context.reader_id, lists, people)
        return store.ListsAndBlocks(
            found.lists if context.lists is None else context.lists,
            found.blocked if context.blocked is None else context.blocked,
        )

    async def _fetch(self, uow: UnitOfWork, context: _ReaderContext, ids: list[bytes]) -> dict[bytes, RenderedPost]:
        """Reads the posts that the reader may see, and caches them as a reader without blocks sees them."""
        FROM_SQL.inc(len(ids))
        fetch, posts = self.cache.begin(current=self.invalidations.current), []
        try:
            rows = await store.shown(uow, context.reader_id, [UUID(bytes=id) for id in ids])
            shared = await shared_rows(uow, None, rows)
            polls = {row["id"]: row["poll"] for row in shared}
            for row, view in zip(rows, await views_sharing(uow, None, rows, shared, {}), strict=True):
                view["list_id"] = None
                posts.append(_rendered(row, view, polls.get(row["shared_id"])))
        finally:
            self.cache.end(fetch, posts)
        return {post.id: post for post in posts}

    async def _json(self, uow: UnitOfWork, context: _ReaderContext, found: Sequence[RenderedPost], limit: int) -> bytes:
        """Returns the page as JSON, as api/post_views.py documents it."""
        items = found[:limit]
        cursor = b"null"
        if len(found) > limit:
            cursor = b'"%s"' % encode_position(*items[-1].key).encode()
        sharing = [place for place, post in enumerate(items) if post.shared_body]
        targets = [*(post.target for post in items), *(items[place].shared_target for place in sharing)]
        counted = await self.counters.read(uow, targets, context.reader_id)
        ends = [counts.json for counts in counted]
        polls = {id: poll for post in items if post.polls for id, poll in post.polls.items()}
        ids = chain((post.id for post in items), (items[place].shared for place in sharing), polls)
        marks = await self.marks.read(uow, context.reader_id, ids)
        if polls:
            items = await self._with_polls(uow, context, items, polls, marks)
        marked = [_marked(post.id, marks) for post in items]
        bodies = [post.body for post in items]
        for place, end in zip(sharing, ends[len(items) :], strict=True):
            post = items[place]
            bodies[place] = b"".join((post.shared_body, _marked(post.shared, marks), end, post.body))
        # One join of all pieces: a page has up to several 100 KB, which a join for each post would copy twice more.
        pieces = chain.from_iterable(zip([b","] * len(items), bodies, marked, ends[: len(items)], strict=True))
        return b"".join((b'{"items":[', *islice(pieces, 1, None), b'],"next_cursor":', cursor, b"}"))


def _marked(post_id: bytes, marks: Marks) -> bytes:
    return MARKED[(post_id in marks.reposted) + 2 * (post_id in marks.saved)]


def _rendered(row: Row, view: PostView, shared_poll: PollDefinition | None) -> RenderedPost:
    went_to = row["went_to"]
    mentions = {UUID(entity["account_id"]).bytes for entity in row["entities"] or () if "account_id" in entity}
    shared = view["shared"]["post"] if view["shared"] else None
    if shared is not None:
        mentions.add(UUID(shared["author"]["id"]).bytes)
        mentions |= {UUID(one["account_id"]).bytes for one in shared["entities"] if one["kind"] == "mention"}
    shared_body, body = bodies_of(view)
    return RenderedPost(
        key=(store.micros(row["created_at"]), UUID(row["id"]).bytes),
        author=UUID(row["author_id"]).bytes,
        audience=store.BITS[Audience(row["audience"])],
        list_id=UUID(went_to).bytes if went_to else b"",
        mentions=frozenset(mentions),
        body=body,
        shared_body=shared_body,
        poll=row["poll"],
        shared_poll=shared_poll if shared else None,
        shared=UUID(row["shared_id"]).bytes if row["shared_id"] else b"",
        personal=row["shared_id"] is not None and shared is None,
    )
