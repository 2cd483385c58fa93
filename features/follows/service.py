"""Decisions about follows. A follow is one connection: the follower enters the followed person's audience."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from cluster.event_log import Event
from cluster.postgres import UnitOfWork
from features.errors import LimitReached
from features.follows import store
from features.follows.model import Follow
from features.follows.policy import FollowPolicy
from features.paging import Page, PageRequest
from features.profiles.service import ProfileService
from features.relationships.model import Tie
from features.relationships.service import RelationshipService


@dataclass(frozen=True, slots=True)
class FollowService:
    policy: FollowPolicy
    relationships: RelationshipService
    profiles: ProfileService

    async def follow(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """Follow somebody at once; does nothing when I do already. Raises NotFound, LimitReached."""
        other = await self.profiles.resolve(uow, me, username)
        held = await self.relationships.hold(uow, me, other)
        if held.standing.followed_by_me:
            return
        if held.mine.following >= self.policy.max_following:
            raise LimitReached("too_many_followed", f"You can follow at most {self.policy.max_following} people.")
        today = now.astimezone(UTC).date()
        if await store.count_follow(uow, me, today) > self.policy.max_per_day:
            tomorrow = datetime.combine(today + timedelta(days=1), time(), UTC)
            raise LimitReached(
                "too_many_follows_today",
                f"You can follow at most {self.policy.max_per_day} people a day.",
                retry_after_s=int((tomorrow - now).total_seconds()) + 1,
            )
        await self.relationships.connect(uow, other, me, now)
        self._publish(uow, "follows.followed", me, other, now)

    async def unfollow(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """Follow somebody no longer. Raises NotFound."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.hold(uow, me, other)
        if await self.relationships.disconnect(uow, other, me, now):
            self._publish(uow, "follows.unfollowed", me, other, now)

    async def remove_follower(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """Make somebody follow me no longer, without telling. Raises NotFound."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.hold(uow, me, other)
        if await self.relationships.disconnect(uow, me, other, now):
            self._publish(uow, "follows.follower_removed", other, me, now)

    async def followers(self, uow: UnitOfWork, viewer_id: UUID, username: str, page: PageRequest) -> Page[Follow]:
        """Who follows a person, newest first, in three statements. Raises NotFound."""
        person_id = await self.profiles.resolve(uow, viewer_id, username)
        return await self._render(uow, await self.relationships.audience(uow, person_id, viewer_id, page))

    async def following(self, uow: UnitOfWork, viewer_id: UUID, username: str, page: PageRequest) -> Page[Follow]:
        """Whom a person follows, newest first, in three statements. Raises NotFound."""
        person_id = await self.profiles.resolve(uow, viewer_id, username)
        return await self._render(uow, await self.relationships.following(uow, person_id, viewer_id, page))

    async def _render(self, uow: UnitOfWork, ties: Page[Tie]) -> Page[Follow]:
        people = await self.profiles.people(uow, [tie.person_id for tie in ties.items])
        follows = [Follow(people[tie.person_id], tie.since) for tie in ties.items if tie.person_id in people]
        return Page(follows, ties.next_cursor)

    def _publish(self, uow: UnitOfWork, type: str, follower_id: UUID, followed_id: UUID, now: datetime) -> None:
        payload = {"follower_id": str(follower_id), "followed_id": str(followed_id)}
        uow.publish(Event.now(type, followed_id, payload, now=now))
