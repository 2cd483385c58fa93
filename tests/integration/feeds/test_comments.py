"""Tests of comments, with counters in memory."""

from __future__ import annotations

from tests.integration.test_comments import (
    comment,
    environment,
    test_a_deleted_comment_keeps_the_place_of_its_replies,
    test_by_relevance_what_people_react_and_reply_to_comes_first,
    test_comments_go_with_their_author_and_with_their_post,
)
from tests.integration.test_reactions import publish
from tests.support.environment import Environment

__all__ = [
    "environment",
    "test_a_deleted_comment_keeps_the_place_of_its_replies",
    "test_by_relevance_what_people_react_and_reply_to_comes_first",
    "test_comments_go_with_their_author_and_with_their_post",
]


async def test_a_feed_in_memory_has_the_number_of_comments_at_once(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    assert (await ada.put("/follows/bob")).is_success
    post_id = await publish(bob)

    async def counted() -> tuple[int, int]:
        await ada.get("/feed")
        answer = await ada.get("/feed")
        return answer.json()["items"][0]["comments"], environment.statements(answer)

    assert await counted() == (0, 0)
    made = await comment(environment, ada, post_id)
    await comment(environment, bob, post_id, parent=made)
    assert await counted() == (2, 0)
    assert (await bob.put(f"/comments/{made}/hidden")).is_success
    assert await counted() == (1, 0)
    assert (await bob.delete(f"/comments/{made}")).is_success
    assert await counted() == (1, 0)
