"""What a gateway keeps of readers' own reposts, while they change."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import pytest

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.feed.invalidations import Invalidation, author_invalidation, reposts_invalidation, timeline_invalidation
from features.feed.own_reposts import OwnReposts
from tests.support.clock import Clock

Meanwhile = Callable[[], None]


class _Rows:
    """Answers the statement, and lets something happen before."""

    def __init__(self) -> None:
        self.reposted = set[UUID]()
        self.meanwhile: Meanwhile = lambda: None
        self.asked = list[list[UUID]]()

    async def fetch(self, _sql: str, _viewer: UUID, post_ids: list[UUID]) -> list[dict[str, Any]]:
        self.asked.append(post_ids)
        found = [{"reposted_id": each} for each in post_ids if each in self.reposted]
        self.meanwhile()
        return found


@pytest.fixture
def ids() -> list[UUID]:
    return [new_id(Clock()()) for _ in range(4)]


async def test_what_is_known_is_not_asked_again_until_it_changes(ids: list[UUID]) -> None:
    reader, other, one, two = ids
    rows, reposts = _Rows(), OwnReposts()
    uow = cast(UnitOfWork, rows)
    rows.reposted = {one}
    for _ in range(2):
        assert await reposts.among(uow, reader, [one.bytes]) == {one.bytes}
    assert await reposts.among(uow, reader, [one.bytes, two.bytes]) == {one.bytes}
    assert rows.asked == [[one], [two]]
    for unrelated in (reposts_invalidation(other), author_invalidation(reader), timeline_invalidation(reader.bytes)):
        reposts.invalidate(unrelated)
    assert await reposts.among(uow, reader, [two.bytes, one.bytes]) == {one.bytes}
    assert len(rows.asked) == 2
    rows.reposted = {two}
    reposts.invalidate(reposts_invalidation(reader))
    assert len(reposts) == 0
    assert await reposts.among(uow, reader, [one.bytes, two.bytes]) == {two.bytes}


@pytest.mark.parametrize("lost", [False, True])
async def test_what_changes_while_it_is_read_is_not_kept(ids: list[UUID], lost: bool) -> None:
    reader, other, one, _ = ids
    rows, reposts = _Rows(), OwnReposts()
    uow = cast(UnitOfWork, rows)
    change: Invalidation = reposts_invalidation(reader)
    rows.meanwhile = reposts.clear if lost else lambda: reposts.invalidate(change)
    assert await reposts.among(uow, reader, [one.bytes]) == set()
    rows.meanwhile, rows.reposted = lambda: None, {one}
    assert await reposts.among(uow, reader, [one.bytes]) == {one.bytes}
    rows.meanwhile = lambda: reposts.invalidate(reposts_invalidation(other))
    assert await reposts.among(uow, other, [one.bytes]) == {one.bytes}
    assert len(reposts) == 1


async def test_a_full_cache_drops_who_came_longest_ago(ids: list[UUID]) -> None:
    reader, other, one, two = ids
    rows, reposts = _Rows(), OwnReposts(capacity=3)
    uow = cast(UnitOfWork, rows)
    for each in (reader, other, reader):
        await reposts.among(uow, each, [one.bytes])
    await reposts.among(uow, other, [one.bytes, two.bytes])
    assert len(reposts) == 3
    await reposts.among(uow, reader, [two.bytes])
    assert len(reposts) == 2
    asked = len(rows.asked)
    await reposts.among(uow, reader, [one.bytes, two.bytes])
    assert len(rows.asked) == asked
    await reposts.among(uow, other, [one.bytes])
    assert len(rows.asked) == asked + 1
