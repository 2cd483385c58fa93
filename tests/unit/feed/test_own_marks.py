"""What a gateway keeps of readers' own reposts, saved posts and votes, while they change."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.feed.invalidations import (
    author_invalidation,
    marks_invalidation,
    poll_invalidation,
    timeline_invalidation,
)
from features.feed.own_marks import OwnMarks
from features.posts.own_marks import Marks
from tests.support.clock import Clock

Meanwhile = Callable[[], None]


class _Rows:
    """Answers the statements, and lets something happen before."""

    def __init__(self) -> None:
        self.saved = set[UUID]()
        self.meanwhile: Meanwhile = lambda: None
        self.asked = list[int | list[UUID]]()

    async def fetchrow(self, _sql: str, _reader: UUID, asked: int | list[UUID]) -> dict[str, Any]:
        self.asked.append(asked)
        if isinstance(asked, int):
            found = sorted(self.saved, reverse=True)[:asked]
        else:
            found = [each for each in asked if each in self.saved]
        self.meanwhile()
        return {"reposted": [], "saved": found, "votes": {str(each): [1] for each in found} or None}


@pytest.fixture
def ids() -> list[UUID]:
    clock = Clock()
    found = []
    for _ in range(4):
        clock.advance(timedelta(seconds=1))
        found.append(new_id(clock()))
    return found


async def test_what_is_known_is_not_asked_again_until_it_changes(ids: list[UUID]) -> None:
    reader, other, one, two = ids
    rows, marks = _Rows(), OwnMarks()
    uow = cast(UnitOfWork, rows)
    rows.saved = {one}
    for _ in range(2):
        known = await marks.read(uow, reader, [one.bytes, two.bytes])
        assert known == Marks(saved=frozenset({one.bytes}), votes={one.bytes: [1]})
    assert len(rows.asked) == 1
    unrelated = [author_invalidation(reader), timeline_invalidation(reader.bytes), poll_invalidation(reader)]
    for each in (marks_invalidation(other), *unrelated):
        marks.invalidate(each)
    await marks.read(uow, reader, [two.bytes])
    assert len(rows.asked) == 1
    rows.saved = {two}
    marks.invalidate(marks_invalidation(reader))
    assert len(marks) == 0
    assert (await marks.read(uow, reader, [one.bytes, two.bytes])).saved == {two.bytes}


async def test_posts_older_than_what_is_kept_are_asked_for(ids: list[UUID]) -> None:
    reader, oldest, middle, newest = ids
    rows, marks = _Rows(), OwnMarks(kept=2)
    uow = cast(UnitOfWork, rows)
    rows.saved = {oldest, middle, newest}
    for _ in range(2):
        assert (await marks.read(uow, reader, [middle.bytes, newest.bytes])).saved == {middle.bytes, newest.bytes}
    assert rows.asked == [2]
    known = await marks.read(uow, reader, [each.bytes for each in ids])
    assert known.saved == {oldest.bytes, middle.bytes, newest.bytes}
    assert known.votes is not None
    assert known.votes.keys() == known.saved
    assert rows.asked == [2, [reader, oldest]]


@pytest.mark.parametrize("lost", [False, True])
async def test_what_changes_while_it_is_read_is_not_kept(ids: list[UUID], lost: bool) -> None:
    reader, other, one, _ = ids
    rows, marks = _Rows(), OwnMarks()
    uow = cast(UnitOfWork, rows)
    rows.meanwhile = marks.clear if lost else lambda: marks.invalidate(marks_invalidation(reader))
    assert (await marks.read(uow, reader, [one.bytes])).saved == set()
    rows.meanwhile, rows.saved = lambda: None, {one}
    assert (await marks.read(uow, reader, [one.bytes])).saved == {one.bytes}
    asked = len(rows.asked)
    rows.meanwhile = lambda: marks.invalidate(marks_invalidation(reader))
    for _ in range(2):
        assert (await marks.read(uow, other, [one.bytes])).saved == {one.bytes}
    assert len(rows.asked) == asked + 1


async def test_a_full_cache_drops_who_came_longest_ago(ids: list[UUID]) -> None:
    reader, other, one, _ = ids
    rows, marks = _Rows(), OwnMarks(capacity=2)
    uow = cast(UnitOfWork, rows)
    for each in (reader, other, reader, one):
        await marks.read(uow, each, [])
    assert len(marks) == 2
    await marks.read(uow, reader, [])
    assert len(rows.asked) == 3
    await marks.read(uow, other, [])
    assert len(rows.asked) == 4
