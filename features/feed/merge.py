"""Merges a reader's timeline with those of the reader's high-fan-out authors, by keys alone.

Pure. Every source is read a little way first; `behind` says which must be read on before the newest keys of all are
known. Only posts that may be on the page are rendered, so hundreds of authors cost a page's worth of posts.
"""

import heapq
from itertools import repeat

from features.feed.machine import Key, TimelinePage

_BEFORE_ALL: Key = (2**63, b"")


class Merge:
    """The keys found so far in several timelines. A source is named by its author's id, b"" is the reader's own."""

    def __init__(self) -> None:
        self._found: set[tuple[int, bytes, int]] = set()
        """(microseconds, id, rights): a post that is in two of the timelines counts once."""
        self._open: dict[bytes, Key] = {}
        """The sources with posts that were not read, and the oldest key read of each."""
        self._truncated: dict[bytes, Key] = {}
        """The sources that are not kept further back, and the oldest key of each."""

    def add(self, source: bytes, page: TimelinePage, rights: int | None = None) -> None:
        """Adds the next page of a source, read with times. `rights` are the reader's for the author of all its posts;
        None where the page says them."""
        masks = page.rights if rights is None else repeat(rights)
        self._found.update(zip(page.times, page.ids, masks))  # noqa: B905 - repeat has no end
        last = page.last or self._open.get(source, _BEFORE_ALL)
        self._open.pop(source, None)
        if page.truncated:
            self._truncated[source] = last
        elif not page.exhausted:
            self._open[source] = last

    def behind(self, count: int) -> dict[bytes, Key]:
        """Returns the sources that may hold one of the newest `count` posts unread, and after which key to read on."""
        newest = heapq.nlargest(count, self._found)
        needed = newest[-1][:2] if len(newest) == count else (0, b"")
        return {source: last for source, last in self._open.items() if last > needed}

    def newest(self, count: int) -> tuple[list[tuple[int, bytes, int]], bool]:
        """Returns the newest `count` posts, as (microseconds, id, rights), and whether older ones than these are not
        kept. Call it when no source is behind."""
        newest = heapq.nlargest(count, self._found)
        kept_to = max(self._truncated.values(), default=(0, b""))
        kept = [post for post in newest if post[:2] >= kept_to]
        return kept, bool(self._truncated) and len(kept) < count
