"""The posts a gateway has at hand, and the news that make it forget them."""

from __future__ import annotations

from uuid import UUID

from cluster.redis import open_redis
from features.feed.changes import (
    READ_AT_ONCE,
    Changes,
    ChangesReader,
    News,
    author_changed,
    list_changed,
    post_changed,
)
from features.feed.machine import LIST, PUBLIC
from features.feed.shelf import Rendered, Shelf

POST, AUTHOR, MENTIONED, TO_LIST = (UUID(int=number) for number in (1, 2, 3, 4))


def _post(post_id: UUID = POST, list_id: UUID | None = None) -> Rendered:
    return Rendered(
        key=(1, post_id.bytes),
        author=AUTHOR.bytes,
        audience=LIST if list_id else PUBLIC,
        list_id=list_id.bytes if list_id else b"",
        mentions=frozenset([MENTIONED.bytes]),
        body=b"{}",
    )


def _kept(shelf: Shelf, *posts: Rendered) -> None:
    shelf.end(shelf.begin(current=True), list(posts))


def test_what_changed_is_forgotten() -> None:
    for change in (post_changed(POST), author_changed(AUTHOR), author_changed(MENTIONED), list_changed(TO_LIST)):
        shelf = Shelf()
        _kept(shelf, _post(list_id=TO_LIST), _post(UUID(int=9)))
        shelf.changed(post_changed(UUID(int=77)))
        assert len(shelf) == 2
        shelf.changed(change)
        assert shelf.get([POST.bytes]) == [None], change


def test_what_changes_while_it_is_read_is_not_kept() -> None:
    for change in (post_changed(POST), author_changed(AUTHOR), author_changed(MENTIONED), list_changed(TO_LIST)):
        shelf = Shelf()
        fetch = shelf.begin(current=True)
        shelf.changed(change)
        shelf.end(fetch, [_post(list_id=TO_LIST)])
        assert len(shelf) == 0, change
    shelf = Shelf()
    fetch = shelf.begin(current=True)
    shelf.missed()
    shelf.end(fetch, [_post()])
    shelf.end(shelf.begin(current=False), [_post()])
    assert len(shelf) == 0


def test_the_oldest_make_room() -> None:
    shelf = Shelf(room=3)
    for number in range(5):
        _kept(shelf, _post(UUID(int=number)))
    posts = shelf.get(UUID(int=number).bytes for number in range(5))
    assert [post is not None for post in posts] == [False, False, True, True, True]


def _news(shelf: Shelf) -> ChangesReader:
    return ChangesReader(Changes(open_redis("redis://localhost"), "brand"), shelf)


def _entries(*changes: tuple[bytes, UUID]) -> News:
    return [(entry_id, [b"p", post_id.bytes]) for entry_id, post_id in changes]


async def test_news_are_read_from_where_they_ended() -> None:
    shelf = Shelf()
    news = _news(shelf)
    news.take(None, _entries((b"5-0", UUID(int=7))))
    _kept(shelf, _post())
    assert (news.current, news.last) == (True, b"5-0")
    news.take(b"5-0", [])
    assert (len(shelf), news.last) == (1, b"5-0")
    news.take(b"5-0", _entries((b"6-0", UUID(int=8)), (b"7-0", POST)))
    assert (len(shelf), news.last) == (0, b"7-0")


async def test_questions_under_way_at_once_lose_nothing() -> None:
    shelf = Shelf()
    news = _news(shelf)
    news.take(None, [])
    assert news.last == b"0-0"
    news.take(b"0-0", _entries((b"1-0", UUID(int=8)), (b"2-0", UUID(int=9))))
    news.take(b"0-0", _entries((b"1-0", UUID(int=8))))
    assert news.last == b"2-0"


async def test_too_many_news_and_an_outage_empty_the_shelf() -> None:
    shelf = Shelf()
    news = _news(shelf)
    for outage in (False, True):
        news.take(None, _entries((b"5-0", UUID(int=7))))
        _kept(shelf, _post())
        if outage:
            news.lost()
        else:
            news.take(b"5-0", _entries(*((b"6-%d" % n, UUID(int=100 + n)) for n in range(READ_AT_ONCE))))
        assert (len(shelf), news.current) == (0, False)
        news.take(b"5-0", [])
        assert not news.current, "a late answer does not tell where the stream ends now"
