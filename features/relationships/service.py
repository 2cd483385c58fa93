"""The service of connections, blocks, mutes, close friends and lists."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.errors import LimitReached
from features.events import publish
from features.feature import OnBlock
from features.paging import Page, PageRequest, page_of
from features.relationships import store
from features.relationships.errors import (
    ListNameTaken,
    NoSuchList,
    NoSuchPerson,
    TooManyBlocks,
    TooManyCloseFriends,
    TooManyListMembers,
    TooManyLists,
    TooManyMutes,
    Yourself,
)
from features.relationships.events import Blocked, CirclesChanged, Connected, Disconnected, Unblocked
from features.relationships.model import AccountRelationship, ListedPerson, Pair, PeopleList
from features.relationships.policy import RelationshipPolicy
from features.sealed_cursors import SealedCursors, SealedPageRequest
from features.text import clean_line


@dataclass(frozen=True, slots=True)
class RelationshipService:
    """Relationships between accounts. `on_block` are other slices' reactions to a block, in its transaction."""

    policy: RelationshipPolicy
    cursors: SealedCursors
    on_block: tuple[OnBlock, ...] = ()

    async def add_account(self, uow: UnitOfWork, account_id: UUID) -> None:
        """Adds a new account, without connections."""
        await store.add_account(uow, account_id)

    async def lock_relationship(self, uow: UnitOfWork, me: UUID, other: UUID) -> None:
        """Locks the relationship of two accounts alone, for callers that read more before they call `lock_pair`."""
        await store.lock_pair(uow, me, other)

    async def lock_pair(self, uow: UnitOfWork, me: UUID, other: UUID, *, both: bool = False) -> Pair:
        """Locks the relationship of two accounts and the caller's counts until the unit of work ends, and returns both.
        Every change of a connection starts with this: changes of a pair are serialised, and the caller's counts can be
        checked against a limit. The other's can with `both` alone, since people who act on the same account at the
        same moment must not wait for each other otherwise.

        Raises NoSuchPerson if the other does not exist or they are apart, Yourself for the same account."""
        pair = await self._lock(uow, me, other, both=both)
        if pair.apart:
            raise NoSuchPerson
        return pair

    async def _lock(self, uow: UnitOfWork, me: UUID, other: UUID, *, both: bool = False) -> Pair:
        """As `lock_pair`, for two who may be apart."""
        if me == other:
            raise Yourself
        await store.lock_pair_and_own(uow, me, other, both=both)
        # A separate statement: it must see what the transaction that held the lock before has written.
        pair = await store.pair(uow, me, other)
        if pair is None:
            raise NoSuchPerson
        return pair

    async def relationship(self, uow: UnitOfWork, me: UUID | None, other: UUID) -> AccountRelationship:
        """Returns the relationship of `me` to an account, and the account's counts. Raises NotFound if it does not
        exist or the two are apart."""
        found = await store.relationship(uow, me, other)
        if found is None or found.apart:
            raise NoSuchPerson
        return found

    async def connect(self, uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, by: UUID, now: datetime) -> bool:
        """Adds the viewer to the owner's audience. Returns False if it was there. `by` is the one of the two that
        called `lock_pair` before."""
        if not await store.connect(uow, owner_id, viewer_id, by, now):
            return False
        publish(uow, Connected(owner_id, viewer_id), now)
        return True

    async def disconnect(self, uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, by: UUID, now: datetime) -> bool:
        """Removes the viewer from the owner's audience, close friends and lists. Returns False if it was not in the
        audience. `by` as in `connect`."""
        if not await store.disconnect(uow, owner_id, viewer_id, by):
            return False
        publish(uow, Disconnected(owner_id, viewer_id), now)
        return True

    async def audience(
        self, uow: UnitOfWork, owner_id: UUID, viewer_id: UUID | None, asked: SealedPageRequest
    ) -> Page[ListedPerson]:
        """Returns the owner's audience, as far as the viewer may see it. Raises BadCursor."""
        return await self._people(uow, "audience", store.AUDIENCE, owner_id, asked, hidden_from=viewer_id)

    async def following(
        self, uow: UnitOfWork, person_id: UUID, viewer_id: UUID | None, asked: SealedPageRequest
    ) -> Page[ListedPerson]:
        """Returns the accounts whose audience a person is in, as far as the viewer may see them. Raises BadCursor."""
        return await self._people(uow, "following", store.FOLLOWING, person_id, asked, hidden_from=viewer_id)

    async def block(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        """Blocks an account: ends every connection, list entry and pending request between the two. Does nothing if the
        block exists."""
        await self._lock(uow, by, whom)
        if not await store.BLOCKS.add(uow, by, whom, now):
            return
        await self._check_limit(uow, store.BLOCKS, by, self.policy.max_blocks, TooManyBlocks)
        await self.disconnect(uow, by, whom, by, now)
        await self.disconnect(uow, whom, by, by, now)
        await store.remove_from_circles(uow, by, whom)
        for react in self.on_block:
            await react(uow, by, whom, now)
        publish(uow, Blocked(by, whom), now)

    async def unblock(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        """Removes a block. What it ended is not restored."""
        if await store.BLOCKS.remove(uow, by, whom):
            publish(uow, Unblocked(by, whom), now)

    async def blocks(self, uow: UnitOfWork, by: UUID, asked: SealedPageRequest) -> Page[ListedPerson]:
        """Returns whom a person has blocked, newest first. Raises BadCursor."""
        return await self._people(uow, "blocks", store.BLOCKS, by, asked, hidden_from=None)

    async def mute(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        """Hides an account's posts from the caller's feed. The other is not notified, and no connection changes."""
        if await self._add(uow, store.MUTES, by, by, whom, now, self.policy.max_mutes, TooManyMutes):
            publish(uow, CirclesChanged(by, (by,), None), now)

    async def unmute(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        if await store.MUTES.remove(uow, by, whom):
            publish(uow, CirclesChanged(by, (by,), None), now)

    async def mutes(self, uow: UnitOfWork, by: UUID, asked: SealedPageRequest) -> Page[ListedPerson]:
        """Returns whom a person has muted, newest first. Raises BadCursor."""
        return await self._people(uow, "mutes", store.MUTES, by, asked, hidden_from=by)

    async def add_close_friend(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> None:
        """Adds an account to the owner's close friends. The member is not notified."""
        limit = self.policy.max_close_friends
        if await self._add(uow, store.CLOSE_FRIENDS, owner_id, owner_id, member_id, now, limit, TooManyCloseFriends):
            publish(uow, CirclesChanged(owner_id, (member_id,), None), now)

    async def remove_close_friend(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> None:
        if await store.CLOSE_FRIENDS.remove(uow, owner_id, member_id):
            publish(uow, CirclesChanged(owner_id, (member_id,), None), now)

    async def close_friends(self, uow: UnitOfWork, owner_id: UUID, asked: SealedPageRequest) -> Page[ListedPerson]:
        """Returns the owner's close friends, newest first. Raises BadCursor."""
        return await self._people(uow, "close friends", store.CLOSE_FRIENDS, owner_id, asked, hidden_from=owner_id)

    async def create_list(self, uow: UnitOfWork, owner_id: UUID, name: str, now: datetime) -> PeopleList:
        """Creates an empty list. Raises ListNameTaken, TooManyLists, and the errors of names."""
        name = clean_line(name, field="name", max_characters=self.policy.max_list_name_characters)
        await store.lock(uow, owner_id)
        if await store.count_lists(uow, owner_id) >= self.policy.max_lists:
            raise TooManyLists(f"You can have at most {self.policy.max_lists} lists.")
        list_id = new_id(now)
        if not await store.create_list(uow, list_id, owner_id, name, now):
            raise ListNameTaken
        return PeopleList(list_id, name, now, 0)

    async def lists(self, uow: UnitOfWork, owner_id: UUID, page: PageRequest) -> Page[PeopleList]:
        """Returns the owner's lists, newest first."""
        return page_of(await store.lists(uow, owner_id, page), page.limit, PeopleList.cursor)

    async def list(self, uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> PeopleList:
        """Returns one of the owner's lists. Raises NoSuchList."""
        found = await store.list_of(uow, owner_id, list_id)
        if found is None:
            raise NoSuchList
        return found

    async def delete_list(self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, now: datetime) -> None:
        """Deletes a list. Raises NoSuchList unless the list is the owner's."""
        members = await store.delete_list(uow, owner_id, list_id)
        if members is None:
            raise NoSuchList
        publish(uow, CirclesChanged(owner_id, tuple(members), list_id), now)

    async def require_list(self, uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> None:
        """Raises NoSuchList unless the list is the owner's."""
        if not await store.owns_list(uow, owner_id, list_id):
            raise NoSuchList

    async def add_list_member(
        self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, member_id: UUID, now: datetime
    ) -> None:
        """Adds a member to a list. Raises NoSuchList, NoSuchPerson, Yourself, TooManyListMembers."""
        limit = self.policy.max_list_members
        if not await store.owns_list(uow, owner_id, list_id, keep=True):
            raise NoSuchList
        if await self._add(uow, store.LIST_MEMBERS, owner_id, list_id, member_id, now, limit, TooManyListMembers):
            publish(uow, CirclesChanged(owner_id, (member_id,), None), now)

    async def remove_list_member(
        self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, member_id: UUID, now: datetime
    ) -> None:
        await self.require_list(uow, owner_id, list_id)
        if await store.LIST_MEMBERS.remove(uow, list_id, member_id):
            publish(uow, CirclesChanged(owner_id, (member_id,), None), now)

    async def list_members(
        self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, asked: SealedPageRequest
    ) -> Page[ListedPerson]:
        """Returns who is on one of the owner's lists, newest first. Raises BadCursor, NoSuchList."""
        await self.require_list(uow, owner_id, list_id)
        return await self._people(uow, "list", store.LIST_MEMBERS, list_id, asked, hidden_from=owner_id)

    async def _people(
        self,
        uow: UnitOfWork,
        name: str,
        people: store.PeopleSet,
        set_id: UUID,
        asked: SealedPageRequest,
        *,
        hidden_from: UUID | None,
    ) -> Page[ListedPerson]:
        cursors = self.cursors.of(f"{name} {set_id}")
        page = cursors.open(asked)
        found = await people.page(uow, set_id, page, hidden_from=hidden_from)
        listed = [ListedPerson(row["id"], row["created_at"]) for row in found.rows]
        return page_until(listed, page.limit, ListedPerson.cursor, found.cursor, cursors)

    async def _add(
        self,
        uow: UnitOfWork,
        people: store.PeopleSet,
        me: UUID,
        set_id: UUID,
        whom: UUID,
        now: datetime,
        limit: int,
        full: type[LimitReached],
    ) -> bool:
        """Adds an account to one of the caller's sets, which is locked. Returns False if it was already there."""
        await self.lock_pair(uow, me, whom)
        if not await people.add(uow, set_id, whom, now):
            return False
        await self._check_limit(uow, people, set_id, limit, full)
        return True

    async def _check_limit(
        self, uow: UnitOfWork, people: store.PeopleSet, set_id: UUID, limit: int, full: type[LimitReached]
    ) -> None:
        """Raises `full`, which rolls back, if the member just added exceeds the limit."""
        if await people.count(uow, set_id) > limit:
            raise full(f"There can be at most {limit}.")
