"""What a gateway keeps of results of polls, while people vote and polls close."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.feed.invalidations import marks_invalidation, poll_invalidation
from features.feed.poll_results import PollResults
from features.posts.model import PollDefinition
from features.posts.polls import MAX_OPTIONS
from tests.support.clock import Clock


class _Rows:
    """Answers the statement, and lets something happen before."""

    def __init__(self) -> None:
        self.voters = 3
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def fetch(self, _sql: str, ids: Sequence[UUID], *_: object) -> list[dict[str, Any]]:
        self.asked += 1
        counts = [self.voters, *(0 for _ in range(MAX_OPTIONS - 1))]
        rows = [
            {
                "id": str(id),
                "choices": None,
                "voters": self.voters,
                "counts": counts,
                "late_voters": None,
                "late_counts": None,
            }
            for id in ids
        ]
        self.meanwhile()
        return rows


class _Reader:
    """Reads one poll, which closes in an hour."""

    def __init__(self) -> None:
        self.clock, self.rows, self.results = Clock(), _Rows(), PollResults()
        self.post_id = new_id(self.clock())
        closes_at: datetime = self.clock() + timedelta(hours=1)
        self.poll: PollDefinition = {
            "options": ["a", "b"],
            "multiple": False,
            "closes_at": closes_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "min_voters": 3,
        }

    async def voters(self) -> int:
        polls = {self.post_id.bytes: self.poll}
        found = await self.results.read(cast(UnitOfWork, self.rows), polls, self.clock())
        return found[self.post_id.bytes].voters


async def test_results_are_kept_until_votes_are_counted() -> None:
    reader = _Reader()
    assert [await reader.voters() for _ in range(2)] == [3, 3]
    reader.rows.voters = 6
    other = new_id(reader.clock())
    for unrelated in (poll_invalidation(other), marks_invalidation(reader.post_id)):
        reader.results.invalidate(unrelated)
    assert await reader.voters() == 3
    reader.results.invalidate(poll_invalidation(reader.post_id))
    assert [await reader.voters() for _ in range(2)] == [6, 6]
    assert reader.rows.asked == 2


async def test_a_closed_poll_is_read_again_until_its_results_are_final() -> None:
    reader = _Reader()
    assert await reader.voters() == 3
    reader.clock.advance(timedelta(hours=1))
    for voters in (4, 5):  # votes that were under way at the close
        reader.rows.voters = voters
        assert await reader.voters() == voters
    reader.clock.advance(timedelta(minutes=1))
    asked = reader.rows.asked
    assert [await reader.voters() for _ in range(3)] == [5, 5, 5]
    assert reader.rows.asked == asked + 1


@pytest.mark.parametrize("lost", [False, True])
async def test_results_that_go_on_while_they_are_read_are_not_kept(lost: bool) -> None:
    reader = _Reader()
    results = reader.results
    reader.rows.meanwhile = results.clear if lost else lambda: results.invalidate(poll_invalidation(reader.post_id))
    assert await reader.voters() == 3
    reader.rows.meanwhile, reader.rows.voters = lambda: None, 6
    assert [await reader.voters() for _ in range(2)] == [6, 6]
    assert reader.rows.asked == 2
