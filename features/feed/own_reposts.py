"""Which posts readers have reposted, as far as a gateway has read it, so that pages from memory need no statement.

The stream of invalidations names whoever reposts something or undoes that, before the response to it; what is kept of
that reader is dropped then. If Redis fails at that moment, the consumer of the event names them within seconds.
"""

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed.invalidations import Invalidation
from features.posts.share_views import own_reposts


class _Read:
    """A read from Postgres in progress. What is invalidated meanwhile is not kept."""

    __slots__ = ("outdated", "reader")

    def __init__(self, reader: bytes) -> None:
        self.reader = reader
        self.outdated = False


class OwnReposts:
    """Up to `capacity` answers, one cache per process. When it is full, those of the reader who came longest ago are
    dropped. Ids are 16 bytes."""

    def __init__(self, capacity: int = 200_000) -> None:
        self._capacity = capacity
        self._readers: OrderedDict[bytes, dict[bytes, bool]] = OrderedDict()
        """Reader -> post -> whether the reader has reposted it."""
        self._size = 0
        self._reads: set[_Read] = set()

    def __len__(self) -> int:
        return self._size

    async def among(self, uow: UnitOfWork, reader_id: UUID, post_ids: Sequence[bytes]) -> set[bytes]:
        """Returns those of the posts that the reader has reposted. One statement if some are not known.

        Invalidations must have been read for this request, and be followed: `InvalidationReader.current`."""
        reader = reader_id.bytes
        known = self._readers.get(reader, {})
        found = {post_id for post_id in post_ids if known.get(post_id)}
        if known:
            self._readers.move_to_end(reader)
        if missing := [post_id for post_id in post_ids if post_id not in known]:
            read = _Read(reader)
            self._reads.add(read)
            try:
                new = {id.bytes for id in await own_reposts(uow, reader_id, [UUID(bytes=id) for id in missing])}
            finally:
                self._reads.discard(read)
            if not read.outdated:
                self._keep(reader, {post_id: post_id in new for post_id in missing})
            found |= new
        return found

    def _keep(self, reader: bytes, answers: dict[bytes, bool]) -> None:
        kept = self._readers.setdefault(reader, {})
        self._size += len(answers.keys() - kept.keys())
        kept |= answers
        self._readers.move_to_end(reader)
        while self._size > self._capacity:
            self._drop(next(iter(self._readers)))

    def _drop(self, reader: bytes) -> None:
        self._size -= len(self._readers.pop(reader, ()))

    def invalidate(self, invalidation: Invalidation) -> None:
        """Drops what is known of a reader who has reposted something. See invalidations.Invalidated."""
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
