"""Votes in polls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.posts import poll_store, store
from features.posts.errors import AlreadyVoted, NoPoll, NoSuchPost, PollClosed
from features.posts.events import PollVoted, Voted
from features.posts.model import PollDefinition, PollView
from features.posts.polls import check_choices, is_closed, view_poll


@dataclass(frozen=True, slots=True)
class Polls:
    """Operations on polls."""

    async def vote(
        self, uow: UnitOfWork, post_id: UUID, voter_id: UUID, choices: Sequence[int], now: datetime
    ) -> PollView:
        """Votes in the poll of a post that the voter may see; the same vote again changes nothing. Raises NoSuchPost;
        NoPoll; BadChoices; PollClosed; AlreadyVoted for another vote than the first one, and so does the commit."""
        row = await store.find(uow, post_id, voter_id)
        if row is None:
            raise NoSuchPost
        poll: PollDefinition | None = row["poll"]
        if poll is None:
            raise NoPoll
        cast, closed = check_choices(poll, choices), is_closed(poll, now)
        state = (await poll_store.states(uow, voter_id, {row["id"]: closed}))[row["id"]]
        if state.own is None:
            if closed:
                raise PollClosed
            poll_store.vote(uow, post_id, voter_id, cast)
            publish(uow, PollVoted(post_id), now)
            publish(uow, Voted(voter_id), now)
            state = replace(state, own=cast)
        elif state.own != cast:
            raise AlreadyVoted
        return view_poll(poll, state, now)
