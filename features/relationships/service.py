"""Decisions about relationships: who is connected, who has blocked or muted whom, and the circles one shares with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.event_log import Event
from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.errors import Conflict, LimitReached, NotFound
from features.paging import Page, PageRequest, page_of
from features.relationships import store
from features.relationships.model import Counts, Held, PeopleList, Standing, Tie, no_such_person, yourself
from features.relationships.policy import RelationshipPolicy
from features.text import clean_line

OnBlock = Callable[[UnitOfWork, UUID, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RelationshipService:
    """`on_block` are other slices' reactions to a block, in its transaction: (unit of work, blocker, blocked)."""

    policy: RelationshipPolicy
    on_block: tuple[OnBlock, ...] = ()

    async def enrol(self, uow: UnitOfWork, account_id: UUID) -> None:
        """A new person, without any ties."""
        await store.enrol(uow, account_id)

    async def hold(self, uow: UnitOfWork, me: UUID, other: UUID) -> Held:
        """Lock both people's ties until the unit of work ends, and say how they stand. Whatever changes a tie starts
        with this, so changes of one pair happen one after the other, and counts checked against a limit stay true.

        Raises NotFound when the other does not exist or a block parts them, Invalid for oneself."""
        if me == other:
            raise yourself()
        counts = await store.lock(uow, me, other)
        # A statement of its own: it must see what a transaction that held the lock before us has written.
        found = await store.standing(uow, me, other)
        if len(counts) < 2 or found is None or found[2]:
            raise no_such_person()
        return Held(counts[me], counts[other], found[0])

    async def standing(self, uow: UnitOfWork, me: UUID | None, other: UUID) -> tuple[Standing, Counts]:
        """How I stand to somebody, and that person's counts. Raises NotFound as `hold` does."""
        found = await store.standing(uow, me, other)
        if found is None or found[2]:
            raise no_such_person()
        return found[0], found[1]

    async def blocked_between(self, uow: UnitOfWork, a: UUID, b: UUID) -> bool:
        """Whether one of the two has blocked the other."""
        return await store.blocked_between(uow, a, b)

    async def connect(self, uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, now: datetime) -> bool:
        """The viewer enters the owner's audience; False: was there. The caller has called `hold`."""
        if not await store.connect(uow, owner_id, viewer_id, now):
            return False
        self._publish_tie(uow, "relationships.connected", owner_id, viewer_id, now)
        return True

    async def disconnect(self, uow: UnitOfWork, owner_id: UUID, viewer_id: UUID, now: datetime) -> bool:
        """The viewer leaves the owner's audience, and with it the owner's close friends and lists; False: was not
        there. The caller has called `hold`."""
        if not await store.disconnect(uow, owner_id, viewer_id):
            return False
        self._publish_tie(uow, "relationships.disconnected", owner_id, viewer_id, now)
        return True

    def _publish_tie(self, uow: UnitOfWork, type: str, owner_id: UUID, viewer_id: UUID, now: datetime) -> None:
        payload = {"owner_id": str(owner_id), "viewer_id": str(viewer_id)}
        uow.publish(Event.now(type, owner_id, payload, now=now))

    async def audience(self, uow: UnitOfWork, owner_id: UUID, viewer_id: UUID | None, page: PageRequest) -> Page[Tie]:
        """Who sees what the owner shares with connections, as the viewer may know it."""
        rows = await store.AUDIENCE.page(uow, owner_id, page, hidden_from=viewer_id)
        return page_of(rows, page.limit, Tie.cursor)

    async def following(self, uow: UnitOfWork, person_id: UUID, viewer_id: UUID | None, page: PageRequest) -> Page[Tie]:
        """In whose audiences a person is, as the viewer may know it."""
        rows = await store.FOLLOWING.page(uow, person_id, page, hidden_from=viewer_id)
        return page_of(rows, page.limit, Tie.cursor)

    async def block(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        """Part two people at once: every tie, list entry and pending request between them ends. Does nothing when
        the block stands already."""
        if by == whom:
            raise yourself()
        if len(await store.lock(uow, by, whom)) < 2:
            raise no_such_person()
        if not await store.BLOCKS.add(uow, by, whom, now):
            return
        await self._within(uow, store.BLOCKS, by, self.policy.max_blocks, "blocked people")
        await self.disconnect(uow, by, whom, now)
        await self.disconnect(uow, whom, by, now)
        await store.unlist(uow, by, whom)
        for react in self.on_block:
            await react(uow, by, whom)
        self._publish_block(uow, "relationships.blocked", by, whom, now)

    async def unblock(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        """End a block; what it ended does not come back."""
        if await store.BLOCKS.remove(uow, by, whom):
            self._publish_block(uow, "relationships.unblocked", by, whom, now)

    def _publish_block(self, uow: UnitOfWork, type: str, by: UUID, whom: UUID, now: datetime) -> None:
        payload = {"blocker_id": str(by), "blocked_id": str(whom)}
        uow.publish(Event.now(type, by, payload, now=now))

    async def blocks(self, uow: UnitOfWork, by: UUID, page: PageRequest) -> Page[Tie]:
        """Whom a person has blocked, newest first."""
        return page_of(await store.BLOCKS.page(uow, by, page, hidden_from=None), page.limit, Tie.cursor)

    async def mute(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        """Keep somebody's posts out of one's feed; nobody is told, and no tie changes."""
        if await self._add(uow, store.MUTES, by, by, whom, now, self.policy.max_mutes, "muted people"):
            self._publish_circles(uow, by, [by], now)

    async def unmute(self, uow: UnitOfWork, by: UUID, whom: UUID, now: datetime) -> None:
        if await store.MUTES.remove(uow, by, whom):
            self._publish_circles(uow, by, [by], now)

    async def mutes(self, uow: UnitOfWork, by: UUID, page: PageRequest) -> Page[Tie]:
        """Whom a person has muted, newest first."""
        return page_of(await store.MUTES.page(uow, by, page, hidden_from=by), page.limit, Tie.cursor)

    async def add_close_friend(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> None:
        """Share with somebody what is for close friends only; the member is not told."""
        limit = self.policy.max_close_friends
        if await self._add(uow, store.CLOSE_FRIENDS, owner_id, owner_id, member_id, now, limit, "close friends"):
            self._publish_circles(uow, owner_id, [member_id], now)

    async def remove_close_friend(self, uow: UnitOfWork, owner_id: UUID, member_id: UUID, now: datetime) -> None:
        if await store.CLOSE_FRIENDS.remove(uow, owner_id, member_id):
            self._publish_circles(uow, owner_id, [member_id], now)

    async def close_friends(self, uow: UnitOfWork, owner_id: UUID, page: PageRequest) -> Page[Tie]:
        """The owner's close friends, newest first."""
        rows = await store.CLOSE_FRIENDS.page(uow, owner_id, page, hidden_from=owner_id)
        return page_of(rows, page.limit, Tie.cursor)

    async def create_list(self, uow: UnitOfWork, owner_id: UUID, name: str, now: datetime) -> PeopleList:
        """A new, empty list. Raises Conflict for a name in use (in any spelling), LimitReached."""
        name = clean_line(name, field="name", max_characters=self.policy.max_list_name_characters)
        await store.lock(uow, owner_id)
        if await store.count_lists(uow, owner_id) >= self.policy.max_lists:
            raise LimitReached("too_many_lists", f"You can have at most {self.policy.max_lists} lists.")
        list_id = new_id(now)
        if not await store.create_list(uow, list_id, owner_id, name, now):
            raise Conflict("list_name_taken", "You have a list of this name.", field="name")
        return PeopleList(list_id, name, now, 0)

    async def lists(self, uow: UnitOfWork, owner_id: UUID, page: PageRequest) -> Page[PeopleList]:
        """The owner's lists, newest first."""
        return page_of(await store.lists(uow, owner_id, page), page.limit, PeopleList.cursor)

    async def delete_list(self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, now: datetime) -> None:
        """Raises NotFound unless the list is the owner's."""
        members = await store.delete_list(uow, owner_id, list_id)
        if members is None:
            raise _no_such_list()
        self._publish_circles(uow, owner_id, members, now, deleted_list_id=list_id)

    async def require_list(self, uow: UnitOfWork, owner_id: UUID, list_id: UUID) -> None:
        """Raises NotFound unless the list is the owner's."""
        if not await store.owns_list(uow, owner_id, list_id):
            raise _no_such_list()

    async def add_list_member(
        self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, member_id: UUID, now: datetime
    ) -> None:
        """Raises NotFound for a list that is not the owner's or a member the owner cannot see, LimitReached."""
        limit = self.policy.max_list_members
        if not await store.owns_list(uow, owner_id, list_id, keep=True):
            raise _no_such_list()
        if await self._add(uow, store.LIST_MEMBERS, owner_id, list_id, member_id, now, limit, "people on a list"):
            self._publish_circles(uow, owner_id, [member_id], now)

    async def remove_list_member(
        self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, member_id: UUID, now: datetime
    ) -> None:
        await self.require_list(uow, owner_id, list_id)
        if await store.LIST_MEMBERS.remove(uow, list_id, member_id):
            self._publish_circles(uow, owner_id, [member_id], now)

    async def list_members(self, uow: UnitOfWork, owner_id: UUID, list_id: UUID, page: PageRequest) -> Page[Tie]:
        """Who is on one of the owner's lists, newest first."""
        await self.require_list(uow, owner_id, list_id)
        rows = await store.LIST_MEMBERS.page(uow, list_id, page, hidden_from=owner_id)
        return page_of(rows, page.limit, Tie.cursor)

    async def _add(
        self,
        uow: UnitOfWork,
        people: store.PeopleSet,
        me: UUID,
        set_id: UUID,
        whom: UUID,
        now: datetime,
        limit: int,
        what: str,
    ) -> bool:
        """Add somebody to one of my sets, under the lock of both of us; False: was in it."""
        await self.hold(uow, me, whom)
        if not await people.add(uow, set_id, whom, now):
            return False
        await self._within(uow, people, set_id, limit, what)
        return True

    def _publish_circles(
        self, uow: UnitOfWork, by: UUID, readers: Sequence[UUID], now: datetime, *, deleted_list_id: UUID | None = None
    ) -> None:
        """What these readers may see, or want to see, changed by a mute, close friends or a list. Nobody is told."""
        payload = {
            "reader_ids": [str(reader) for reader in readers],
            "deleted_list_id": str(deleted_list_id) if deleted_list_id else None,
        }
        uow.publish(Event.now("relationships.circles_changed", by, payload, now=now))

    async def _within(self, uow: UnitOfWork, people: store.PeopleSet, set_id: UUID, limit: int, what: str) -> None:
        """Raises LimitReached, which rolls back, when the member just added was one too many."""
        if await people.count(uow, set_id) > limit:
            raise LimitReached("too_many", f"There can be at most {limit} {what}.")


def _no_such_list() -> NotFound:
    return NotFound("no_such_list", "You have no such list.")
