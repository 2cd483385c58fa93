"""The service of follows. A follow is one connection: the follower is added to the followed account's audience."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.follows import store
from features.follows.errors import TooManyFollowed, TooManyFollowsToday
from features.follows.events import Followed, FollowerRemoved, Unfollowed
from features.follows.model import Follow
from features.follows.policy import FollowPolicy
from features.paging import Page
from features.profiles.service import ProfileService
from features.relationships.model import ListedPerson
from features.relationships.service import RelationshipService
from features.sealed_cursors import SealedPageRequest


@dataclass(frozen=True, slots=True)
class FollowService:
    policy: FollowPolicy
    relationships: RelationshipService
    profiles: ProfileService

    async def follow(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> UUID:
        """Follows an account and returns its id. Does nothing if the caller follows it already. Raises NoSuchPerson,
        Yourself, TooManyFollowed, TooManyFollowsToday."""
        other = await self.profiles.resolve(uow, me, username)
        pair = await self.relationships.lock_pair(uow, me, other)
        if pair.state.followed_by_me:
            return other
        if pair.mine.following >= self.policy.max_following:
            raise TooManyFollowed(f"You can follow at most {self.policy.max_following} people.")
        today = now.astimezone(UTC).date()
        if await store.count_follow(uow, me, today) > self.policy.max_per_day:
            tomorrow = datetime.combine(today + timedelta(days=1), time(), UTC)
            raise TooManyFollowsToday(
                f"You can follow at most {self.policy.max_per_day} people a day.",
                retry_after_s=int((tomorrow - now).total_seconds()) + 1,
            )
        await self.relationships.connect(uow, other, me, me, now)
        publish(uow, Followed(me, other), now)
        return other

    async def unfollow(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """Unfollows an account. Raises NotFound."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.lock_pair(uow, me, other)
        if await self.relationships.disconnect(uow, other, me, me, now):
            publish(uow, Unfollowed(me, other), now)

    async def remove_follower(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """Removes a follower of the caller. The follower is not notified. Raises NotFound."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.lock_pair(uow, me, other)
        if await self.relationships.disconnect(uow, me, other, me, now):
            publish(uow, FollowerRemoved(other, me), now)

    async def followers(self, uow: UnitOfWork, viewer_id: UUID, username: str, page: SealedPageRequest) -> Page[Follow]:
        """Returns an account's followers, newest first, in three statements. Raises BadCursor, NotFound."""
        person_id = await self.profiles.resolve(uow, viewer_id, username)
        return await self._render(uow, await self.relationships.audience(uow, person_id, viewer_id, page))

    async def following(self, uow: UnitOfWork, viewer_id: UUID, username: str, page: SealedPageRequest) -> Page[Follow]:
        """Returns whom an account follows, newest first, in three statements. Raises BadCursor, NotFound."""
        person_id = await self.profiles.resolve(uow, viewer_id, username)
        return await self._render(uow, await self.relationships.following(uow, person_id, viewer_id, page))

    async def _render(self, uow: UnitOfWork, listed: Page[ListedPerson]) -> Page[Follow]:
        people = await self.profiles.people(uow, [entry.person_id for entry in listed.items])
        follows = [Follow(people[entry.person_id], entry.since) for entry in listed.items if entry.person_id in people]
        return Page(follows, listed.next_cursor)
