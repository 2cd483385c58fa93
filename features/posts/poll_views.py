"""Polls as readers see them."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.posts import poll_store
from features.posts.model import PollDefinition, PollView
from features.posts.polls import is_closed, view_poll


async def poll_views(
    uow: UnitOfWork, viewer_id: UUID | None, polls: Mapping[str, PollDefinition], now: datetime
) -> dict[str, PollView]:
    """Returns the polls of posts that the viewer may see, by the posts' ids. One statement if there are any."""
    if not polls:
        return {}
    closed = {post_id: is_closed(poll, now) for post_id, poll in polls.items()}
    states = await poll_store.states(uow, viewer_id, closed)
    return {post_id: view_poll(poll, states[post_id], now) for post_id, poll in polls.items()}
