"""Polls as readers see them."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.posts import poll_store
from features.posts.model import PollDefinition, PollView
from features.posts.polls import PollState, is_closed, view_poll


async def poll_views(
    uow: UnitOfWork, viewer_id: UUID | None, polls: Mapping[str, PollDefinition], now: datetime
) -> dict[str, PollView]:
    """Returns the polls of posts that the viewer may see, by the posts' ids. One statement if there are any."""
    if not polls:
        return {}
    states = await _states(uow, viewer_id, polls, now)
    return {post_id: view_poll(poll, states[post_id], now) for post_id, poll in polls.items()}


async def poll_results(uow: UnitOfWork, polls: Mapping[str, PollDefinition], now: datetime) -> dict[str, PollState]:
    """Returns the results of polls without anybody's own vote, by the posts' ids, for `view_poll`. One statement."""
    return await _states(uow, None, polls, now)


async def _states(
    uow: UnitOfWork, viewer_id: UUID | None, polls: Mapping[str, PollDefinition], now: datetime
) -> dict[str, PollState]:
    return await poll_store.states(uow, viewer_id, {post_id: is_closed(poll, now) for post_id, poll in polls.items()})
