"""The newest posts of high-fan-out authors, as far as a gateway has read them from the authors' own timelines.

Tens of thousands of readers have the same authors, so what one reader's page needed is there for the next one's,
without a call for each author. The fan-out of a post (consumers.py) invalidates its author's; where that is lost, or
the author has become too small for it, a head is out of date for `MAX_AGE_S`.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import repeat

from features.feed.invalidations import Invalidation
from features.feed.machine import Key, TimelinePage

HEAD_POSTS = 32
"""Posts read of each author."""
MAX_AGE_S = 60.0

Post = tuple[int, bytes, int]
"""A post in a merge: microseconds since 1970, id, and the reader's rights for its author."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest posts of an author, of some audiences; newest first."""

    posts: list[Post]
    last: Key | None
    """The key of the last of them."""
    exhausted: bool
    """Whether there are no older ones in the author's timeline."""
    truncated: bool
    """Whether there are none because it is not kept further back."""
    read_at: float

    @classmethod
    def of(cls, page: TimelinePage, audiences: int, now: float) -> "Head":
        """Returns the head that the first page of an author's timeline is, read with times."""
        posts = zip(page.times, page.ids, repeat(audiences))
        return cls(list(posts), page.last, page.exhausted, page.truncated, now)


class AuthorHeads:
    """Up to `capacity` heads, by author and audiences; one cache per process. When it is full, the head used longest
    ago is dropped. Times are monotonic."""

    def __init__(self, capacity: int = 4_000) -> None:
        self._capacity = capacity
        self._heads: OrderedDict[tuple[bytes, int], Head] = OrderedDict()
        self._audiences: dict[bytes, set[int]] = {}
        """Author -> audiences in `_heads`."""
        self.changes = 0
        """How often something was invalidated."""

    def __len__(self) -> int:
        return len(self._heads)

    def get(self, author: bytes, audiences: int, now: float) -> Head | None:
        """Returns the author's head, None if it is to be read."""
        key = author, audiences
        head = self._heads.get(key)
        if head is None or head.read_at < now - MAX_AGE_S:
            return None
        self._heads.move_to_end(key)
        return head

    def put(self, author: bytes, audiences: int, head: Head, changes: int) -> None:
        """Keeps a head whose read began when `changes` was as given: if anything was invalidated since, it may be out
        of date and is not kept."""
        if changes != self.changes:
            return
        self._heads[author, audiences] = head
        self._heads.move_to_end((author, audiences))
        self._audiences.setdefault(author, set()).add(audiences)
        while len(self._heads) > self._capacity:
            self._forget(next(iter(self._heads)))

    def invalidate(self, invalidation: Invalidation) -> None:
        """Drops the heads of an author whose timeline changed. See invalidations.Invalidated."""
        if invalidation.kind == b"t":
            self.changes += 1
            for audiences in list(self._audiences.get(invalidation.id, ())):
                self._forget((invalidation.id, audiences))

    def clear(self) -> None:
        """Drops everything."""
        self.changes += 1
        self._heads.clear()
        self._audiences.clear()

    def _forget(self, key: tuple[bytes, int]) -> None:
        author, audiences = key
        del self._heads[key]
        self._audiences[author].discard(audiences)
        if not self._audiences[author]:
            del self._audiences[author]
