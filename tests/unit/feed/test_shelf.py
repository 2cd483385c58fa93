"""The posts a gateway has at hand, and the news that make it forget them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from cluster.redis import open_redis
from features.feed.changes import (
    READ_AT_ONCE,
    Changes,
    ChangesReader,
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
        assert shelf.get(POST.bytes) is None, change


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
    assert [shelf.get(UUID(int=number).bytes) is not None for number in range(5)] == [False, False, True, True, True]


class _Pipeline:
    """Notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def xread(self, streams: dict[str, bytes], count: int) -> None:
        self.asked.append(f"after {next(iter(streams.values())).decode()}")

    def xrevrange(self, stream: str, count: int) -> None:
        self.asked.append("newest")


def _news(shelf: Shelf) -> tuple[ChangesReader, _Pipeline]:
    return ChangesReader(Changes(open_redis("redis://localhost"), "brand"), shelf), _Pipeline()


def _entries(*changes: tuple[bytes, UUID]) -> list[Any]:
    return [[b"stream", [(entry_id, {b"p": post_id.bytes}) for entry_id, post_id in changes]]]


async def test_news_are_read_from_where_they_ended() -> None:
    shelf = Shelf()
    news, pipeline = _news(shelf)
    news.take(news.ask(pipeline), [(b"5-0", {})])
    _kept(shelf, _post())
    assert news.current
    news.take(news.ask(pipeline), None)
    assert len(shelf) == 1
    news.take(news.ask(pipeline), _entries((b"6-0", UUID(int=8)), (b"7-0", POST)))
    assert len(shelf) == 0
    news.ask(pipeline)
    assert pipeline.asked == ["newest", "after 5-0", "after 5-0", "after 7-0"]


async def test_questions_under_way_at_once_lose_nothing() -> None:
    shelf = Shelf()
    news, pipeline = _news(shelf)
    news.take(news.ask(pipeline), [])
    one, other = news.ask(pipeline), news.ask(pipeline)
    news.take(other, _entries((b"1-0", UUID(int=8)), (b"2-0", UUID(int=9))))
    news.take(one, _entries((b"1-0", UUID(int=8))))
    news.ask(pipeline)
    assert pipeline.asked[-1] == "after 2-0"


async def test_too_many_news_and_an_outage_empty_the_shelf() -> None:
    shelf = Shelf()
    news, pipeline = _news(shelf)
    for outage in (False, True):
        news.take(news.ask(pipeline), [(b"5-0", {})])
        _kept(shelf, _post())
        asked = news.ask(pipeline)
        if outage:
            news.lost()
        else:
            news.take(asked, _entries(*((b"6-%d" % n, UUID(int=100 + n)) for n in range(READ_AT_ONCE))))
        assert (len(shelf), news.current) == (0, False)
        news.take(asked, None)
        assert not news.current, "a late answer does not tell where the stream ends now"
