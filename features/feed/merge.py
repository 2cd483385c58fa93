"""Merges a reader's timeline with those of the reader's high-fan-out authors, by keys alone.

Pure. Of each source the newest posts are known first; `behind` says which must be read on before the newest keys of all
are known. Only posts that may be on the page are rendered, so hundreds of authors cost a page's worth of posts.
"""

import heapq
from itertools import groupby, islice
from operator import itemgetter

from features.feed.author_heads import Head, Post
from features.feed.machine import Key, TimelinePage

_BEFORE_ALL: Key = (2**63, b"")
_key = itemgetter(0, 1)


class Merge:
    """The posts found so far in several timelines, all older than `after`. A source is named by its author's id, b"" is
    the reader's own."""

    def __init__(self, after: Key | None) -> None:
        self._after = after or _BEFORE_ALL
        self._posts: dict[bytes, list[Post]] = {}
        """What is known of each source, newest first."""
        self._open: dict[bytes, Key] = {}
        """The sources with posts that were not read, and the oldest key read of each."""
        self._truncated: dict[bytes, Key] = {}
        """The sources that are not kept further back, and the oldest key of each."""

    def add_head(self, source: bytes, head: Head) -> None:
        """Adds the first posts of a source."""
        posts = head.posts
        if posts and posts[0] >= self._after:
            posts = [post for post in posts if post < self._after]
        if posts:
            self._posts[source] = posts
        self._read_to(source, head.last, exhausted=head.exhausted, truncated=head.truncated)

    def add(self, source: bytes, page: TimelinePage, rights: int | None = None) -> None:
        """Adds the next page of a source, read with times. `rights` are the reader's for the author of all its posts;
        None where the page says them."""
        masks = page.rights if rights is None else bytes([rights]) * len(page.ids)
        posts = list(zip(page.times, page.ids, masks, strict=True))
        self._posts[source] = self._posts.get(source, []) + posts
        self._read_to(source, page.last, exhausted=page.exhausted, truncated=page.truncated)

    def _read_to(self, source: bytes, last: Key | None, *, exhausted: bool, truncated: bool) -> None:
        known = self._open.pop(source, self._after)
        last = known if last is None else min(known, last)
        if truncated:
            self._truncated[source] = last
        elif not exhausted:
            self._open[source] = last

    def behind(self, count: int) -> dict[bytes, Key]:
        """Returns the sources that may hold one of the newest `count` posts unread, and after which key to read on."""
        newest = self._newest(count)
        needed = newest[-1][:2] if len(newest) == count else (0, b"")
        return {source: last for source, last in self._open.items() if last > needed}

    def newest(self, count: int) -> tuple[list[Post], bool]:
        """Returns the newest `count` posts, and whether older ones than these are not kept. Call it when no source is
        behind."""
        newest = self._newest(count)
        kept_to = max(self._truncated.values(), default=(0, b""))
        kept = [post for post in newest if post[:2] >= kept_to]
        return kept, bool(self._truncated) and len(kept) < count

    def _newest(self, count: int) -> list[Post]:
        """A post that is in two of the timelines counts once."""
        merged = heapq.merge(*self._posts.values(), reverse=True)
        return [next(same) for _, same in islice(groupby(merged, _key), count)]
