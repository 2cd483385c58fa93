"""Which posts readers have reposted, saved and voted in, as far as a gateway has read it, so that pages from memory
need no statement.

What is kept of a reader are the marks of the newest posts that the reader has marked: all of them, for most readers.
The stream of invalidations names whoever marks something or undoes that, before the response to it; what is kept of
that reader is dropped then. If Redis fails at that moment, the consumer of the event names them within seconds.
"""

from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed.invalidations import Invalidation
from features.posts.own_marks import Marks, marks_among, newest_marks

KEPT = 1_000
"""Posts of each kind that are kept of a reader."""


class _Read:
    """A read from Postgres in progress. What is invalidated meanwhile is not kept."""

    __slots__ = ("outdated", "reader")

    def __init__(self, reader: bytes) -> None:
        self.reader = reader
        self.outdated = False


class OwnMarks:
    """Up to `capacity` marks and readers, one cache per process. When it is full, those of the reader who came longest
    ago are dropped. Ids are 16 bytes."""

    def __init__(self, capacity: int = 400_000, kept: int = KEPT) -> None:
        self._capacity = capacity
        self._kept = kept
        self._readers: OrderedDict[bytes, tuple[Marks, bytes]] = OrderedDict()
        """Reader -> marks, and the post from which on they are all there are."""
        self._size = 0
        self._reads: set[_Read] = set()

    def __len__(self) -> int:
        return self._size

    async def read(self, uow: UnitOfWork, reader_id: UUID, post_ids: Iterable[bytes]) -> Marks:
        """Returns the reader's marks, at least of these posts. One statement if they are not known, and one if a post
        is older than what is kept.

        Invalidations must have been read for this request, and be followed: `InvalidationReader.current`."""
        reader = reader_id.bytes
        if (known := self._readers.get(reader)) is not None:
            self._readers.move_to_end(reader)
        else:
            known = await self._load(uow, reader_id)
        marks, since = known
        if since and (older := [id for id in post_ids if id < since]):
            return marks | await marks_among(uow, reader_id, older)
        return marks

    async def _load(self, uow: UnitOfWork, reader_id: UUID) -> tuple[Marks, bytes]:
        read = _Read(reader_id.bytes)
        self._reads.add(read)
        try:
            found = await newest_marks(uow, reader_id, self._kept)
        finally:
            self._reads.discard(read)
        if not read.outdated:
            self._drop(read.reader)
            self._readers[read.reader] = found
            self._size += 1 + len(found[0])
            while self._size > self._capacity:
                self._drop(next(iter(self._readers)))
        return found

    def _drop(self, reader: bytes) -> None:
        if (dropped := self._readers.pop(reader, None)) is not None:
            self._size -= 1 + len(dropped[0])

    def invalidate(self, invalidation: Invalidation) -> None:
        """Drops what is known of a reader who has marked something. See invalidations.Invalidated."""
        if invalidation.kind == b"r":
            self._drop(invalidation.id)
            for read in self._reads:
                read.outdated |= read.reader == invalidation.id

    def clear(self) -> None:
        """Drops everything."""
        self._readers.clear()
        self._size = 0
        for read in self._reads:
            read.outdated = True
