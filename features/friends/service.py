"""The service of friends. A friendship is a connection in both directions; machine.py decides about requests."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.events import publish
from features.friends import store
from features.friends.errors import NoSuchRequest
from features.friends.events import FriendRemoved, FriendRequestAccepted, FriendRequested, FriendRequestedUnseen
from features.friends.machine import OPEN, Outcome, RequestState, Situation, Step, advance, decide, require_capacity
from features.friends.model import Direction, Friend, FriendRequest, PendingRequest, SeenRequest, SentRequest
from features.friends.policy import FriendPolicy
from features.paging import Page
from features.profiles.model import Person
from features.profiles.service import ProfileService
from features.relationships.errors import NoSuchPerson
from features.relationships.model import Pair
from features.relationships.service import RelationshipService
from features.sealed_cursors import SealedCursors, SealedPageRequest


@dataclass(frozen=True, slots=True)
class FriendService:
    policy: FriendPolicy
    relationships: RelationshipService
    profiles: ProfileService
    cursors: SealedCursors

    async def send_request(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> SentRequest:
        """Sends a friend request; to somebody who has sent one, accepts it. Raises NoSuchPerson, and the errors
        of machine.decide."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.lock_relationship(uow, me, other)
        mine, theirs = await self._open_between(uow, me, other)
        pair = await self.relationships.lock_pair(uow, me, other, both=theirs is not None)
        stats = await store.sender_stats(uow, me, other, now - self.policy.window)
        situation = Situation(
            friends=pair.state.friends,
            mine=mine.state if mine else None,
            theirs=theirs.state if theirs else None,
            refused_at=stats.refused_at,
            my_friends=pair.mine.audience,
            their_friends=pair.theirs.audience,
            my_pending=stats.pending,
            sent_in_window=stats.sent,
            oldest_in_window=stats.oldest,
        )
        outcome = decide(situation, self.policy, now)
        person = await self._person(uow, other)
        if outcome is Outcome.CROSS and theirs:
            await self._make_friends(uow, me, theirs, Step.CROSS, now)
            return SentRequest(_pending_view(me, theirs, person), accepted=True, new=True)
        if mine:
            if outcome is Outcome.RESEND:
                await self._advance(uow, mine, Step.RESEND, None)
                publish(uow, FriendRequested(mine.id, mine.sender_id, mine.recipient_id), now)
            return SentRequest(_pending_view(me, mine, person), accepted=False, new=False)
        hidden = outcome is Outcome.SEND_HIDDEN
        state = RequestState.REFUSED if hidden else RequestState.WAITING
        request = FriendRequest(new_id(now), me, other, state, now, stats.refused_at if hidden else None)
        await store.insert(uow, request)
        # An event is written in both cases, so that both take the sender the same time.
        requested = FriendRequestedUnseen if hidden else FriendRequested
        publish(uow, requested(request.id, me, other), now)
        return SentRequest(_pending_view(me, request, person), accepted=False, new=True)

    async def accept(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> Friend:
        """Accepts a request. Raises NoSuchRequest, TooManyFriends, TheyHaveTooManyFriends."""
        request, pair = await self._lock_request(uow, me, request_id, Direction.INCOMING)
        require_capacity(pair.mine.audience, pair.theirs.audience, self.policy)
        await self._make_friends(uow, me, request, Step.ACCEPT, now)
        return Friend(await self._person(uow, request.sender_id), now)

    async def decline(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> None:
        """Refuses a request. The sender is not notified. Raises NotFound."""
        request, _ = await self._lock_request(uow, me, request_id, Direction.INCOMING)
        await self._advance(uow, request, Step.REFUSE, now)

    async def withdraw(self, uow: UnitOfWork, me: UUID, request_id: UUID) -> None:
        """Withdraws a request of the caller. Raises NotFound."""
        request, _ = await self._lock_request(uow, me, request_id, Direction.OUTGOING)
        await self._advance(uow, request, Step.WITHDRAW, request.refused_at)

    async def requests(
        self, uow: UnitOfWork, me: UUID, direction: Direction, asked: SealedPageRequest
    ) -> Page[PendingRequest]:
        """Returns pending requests, newest first, in two statements. Raises BadCursor."""
        cursors = self.cursors.of(f"{direction} requests {me}")
        page = cursors.open(asked)
        rows = await store.pending(uow, me, direction, page)
        requests = [store.request_of(row) for row in rows.rows]
        found = page_until(requests, page.limit, FriendRequest.cursor, rows.cursor, cursors)
        people = await self.profiles.people(uow, [_other(me, request) for request in found.items])
        shown = [
            _pending_view(me, request, people[_other(me, request)])
            for request in found.items
            if _other(me, request) in people
        ]
        return Page(shown, found.next_cursor)

    async def request(self, uow: UnitOfWork, me: UUID, request_id: UUID) -> SeenRequest:
        """Returns a request that is pending for the caller, or that one of the two has accepted. Raises
        NoSuchRequest."""
        found = await store.find_of(uow, request_id, me)
        if found is None:
            raise NoSuchRequest
        accepted = found.state is RequestState.ACCEPTED
        if not accepted and not any(_is_pending_for(me, found, direction) for direction in Direction):
            raise NoSuchRequest
        return SeenRequest(_pending_view(me, found, await self._person(uow, _other(me, found))), accepted)

    async def pending(self, uow: UnitOfWork, me: UUID, other: UUID) -> Direction | None:
        """Returns the direction of a pending request between two accounts, as far as `me` may know it."""
        mine, theirs = await self._open_between(uow, me, other)
        if theirs and theirs.state is RequestState.WAITING:
            return Direction.INCOMING
        return Direction.OUTGOING if mine else None

    async def friends(self, uow: UnitOfWork, me: UUID, page: SealedPageRequest) -> Page[Friend]:
        """Returns the caller's friends, newest first, in two statements. Raises BadCursor."""
        listed = await self.relationships.audience(uow, me, me, page)
        people = await self.profiles.people(uow, [entry.person_id for entry in listed.items])
        friends = [Friend(people[entry.person_id], entry.since) for entry in listed.items if entry.person_id in people]
        return Page(friends, listed.next_cursor)

    async def remove(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """Ends a friendship. The other is not notified. Does nothing if there is none. Raises NotFound."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.lock_pair(uow, me, other)
        ended = await self.relationships.disconnect(uow, me, other, me, now)
        if await self.relationships.disconnect(uow, other, me, me, now) or ended:
            publish(uow, FriendRemoved(me, other), now)

    async def _open_between(
        self, uow: UnitOfWork, me: UUID, other: UUID
    ) -> tuple[FriendRequest | None, FriendRequest | None]:
        """Returns the open request of `me` and that of the other."""
        found = {request.sender_id: request for request in await store.open_between(uow, me, other)}
        return found.get(me), found.get(other)

    async def _lock_request(
        self, uow: UnitOfWork, me: UUID, request_id: UUID, direction: Direction
    ) -> tuple[FriendRequest, Pair]:
        """Returns a request that is pending for the caller, and locks the pair; whoever may accept it locks the counts
        of both, which are checked then."""
        found = await store.find(uow, request_id)
        if found is None or not _is_pending_for(me, found, direction):
            raise NoSuchRequest
        try:
            pair = await self.relationships.lock_pair(uow, me, _other(me, found), both=direction is Direction.INCOMING)
        except NoSuchPerson:
            raise NoSuchRequest from None
        found = await store.find(uow, request_id)  # again: it may have changed before the lock was taken
        if found is None or not _is_pending_for(me, found, direction):
            raise NoSuchRequest
        return found, pair

    async def _make_friends(self, uow: UnitOfWork, by: UUID, request: FriendRequest, step: Step, now: datetime) -> None:
        await self._advance(uow, request, step, None)
        await store.forget_refusals(uow, request.sender_id, request.recipient_id)
        await self.relationships.connect(uow, request.recipient_id, request.sender_id, by, now)
        await self.relationships.connect(uow, request.sender_id, request.recipient_id, by, now)
        publish(uow, FriendRequestAccepted(request.id, request.sender_id, request.recipient_id), now)

    async def _advance(self, uow: UnitOfWork, request: FriendRequest, step: Step, refused_at: datetime | None) -> None:
        state = advance(request.state, step)
        assert state is not None, (request.state, step)
        await store.set_state(uow, request.id, state, refused_at)

    async def _person(self, uow: UnitOfWork, person_id: UUID) -> Person:
        person = (await self.profiles.people(uow, [person_id])).get(person_id)
        if person is None:
            raise NoSuchPerson
        return person


def _other(me: UUID, request: FriendRequest) -> UUID:
    return request.recipient_id if request.sender_id == me else request.sender_id


def _pending_view(me: UUID, request: FriendRequest, person: Person) -> PendingRequest:
    direction = Direction.OUTGOING if request.sender_id == me else Direction.INCOMING
    return PendingRequest(request.id, person, direction, request.created_at)


def _is_pending_for(me: UUID, request: FriendRequest, direction: Direction) -> bool:
    if direction is Direction.INCOMING:
        return request.recipient_id == me and request.state is RequestState.WAITING
    return request.sender_id == me and request.state in OPEN
