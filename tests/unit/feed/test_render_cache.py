"""The render cache of a gateway, and the invalidations that empty it."""

from __future__ import annotations

from uuid import UUID

from cluster.redis import open_redis
from features.feed.invalidations import (
    MAX_READ,
    InvalidationReader,
    InvalidationStream,
    StreamEntries,
    author_invalidation,
    list_invalidation,
    post_invalidation,
)
from features.feed.machine import LIST, PUBLIC
from features.feed.render_cache import RenderCache, RenderedPost

POST, AUTHOR, MENTIONED, TO_LIST = (UUID(int=number) for number in (1, 2, 3, 4))
INVALIDATIONS = (
    post_invalidation(POST),
    author_invalidation(AUTHOR),
    author_invalidation(MENTIONED),
    list_invalidation(TO_LIST),
)


def _post(post_id: UUID = POST, list_id: UUID | None = None) -> RenderedPost:
    return RenderedPost(
        key=(1, post_id.bytes),
        author=AUTHOR.bytes,
        audience=LIST if list_id else PUBLIC,
        list_id=list_id.bytes if list_id else b"",
        mentions=frozenset([MENTIONED.bytes]),
        body=b"{}",
    )


def _add(cache: RenderCache, *posts: RenderedPost) -> None:
    cache.end(cache.begin(current=True), list(posts))


def test_an_invalidated_post_is_dropped() -> None:
    for invalidation in INVALIDATIONS:
        cache = RenderCache()
        _add(cache, _post(list_id=TO_LIST), _post(UUID(int=9)))
        cache.invalidate(post_invalidation(UUID(int=77)))
        assert len(cache) == 2
        cache.invalidate(invalidation)
        assert cache.get([POST.bytes]) == [None], invalidation


def test_a_post_invalidated_while_it_is_fetched_is_not_cached() -> None:
    for invalidation in INVALIDATIONS:
        cache = RenderCache()
        fetch = cache.begin(current=True)
        cache.invalidate(invalidation)
        cache.end(fetch, [_post(list_id=TO_LIST)])
        assert len(cache) == 0, invalidation
    cache = RenderCache()
    fetch = cache.begin(current=True)
    cache.clear()
    cache.end(fetch, [_post()])
    cache.end(cache.begin(current=False), [_post()])
    assert len(cache) == 0


def test_the_post_read_last_is_dropped_last() -> None:
    cache = RenderCache(capacity=3)
    for number in range(5):
        _add(cache, _post(UUID(int=number)))
        cache.get([UUID(int=0).bytes])
    posts = cache.get([UUID(int=number).bytes for number in range(5)])
    assert [post is not None for post in posts] == [True, False, False, True, True]


def _reader(cache: RenderCache) -> InvalidationReader:
    return InvalidationReader(InvalidationStream(open_redis("redis://localhost"), "brand"), cache)


def _entries(*changes: tuple[bytes, UUID]) -> StreamEntries:
    return [(entry_id, [b"p", post_id.bytes]) for entry_id, post_id in changes]


async def test_reading_continues_after_the_last_entry() -> None:
    cache = RenderCache()
    reader = _reader(cache)
    reader.take(None, _entries((b"5-0", UUID(int=7))))
    _add(cache, _post())
    assert (reader.current, reader.last) == (True, b"5-0")
    reader.take(b"5-0", [])
    assert (len(cache), reader.last) == (1, b"5-0")
    reader.take(b"5-0", _entries((b"6-0", UUID(int=8)), (b"7-0", POST)))
    assert (len(cache), reader.last) == (0, b"7-0")


async def test_concurrent_reads_lose_nothing() -> None:
    cache = RenderCache()
    reader = _reader(cache)
    reader.take(None, [])
    assert reader.last == b"0-0"
    reader.take(b"0-0", _entries((b"1-0", UUID(int=8)), (b"2-0", UUID(int=9))))
    reader.take(b"0-0", _entries((b"1-0", UUID(int=8))))
    assert reader.last == b"2-0"


async def test_too_many_entries_and_an_outage_clear_the_cache() -> None:
    cache = RenderCache()
    reader = _reader(cache)
    for outage in (False, True):
        reader.take(None, _entries((b"5-0", UUID(int=7))))
        _add(cache, _post())
        if outage:
            reader.lost()
        else:
            reader.take(b"5-0", _entries(*((b"6-%d" % n, UUID(int=100 + n)) for n in range(MAX_READ))))
        assert (len(cache), reader.current) == (0, False)
        reader.take(b"5-0", [])
        assert not reader.current, "a late reply does not tell where the stream ends now"
