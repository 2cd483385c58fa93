"""Decisions about friends. A friendship is a connection in both directions; how one comes about is in machine.py."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.event_log import Event
from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.errors import NotFound
from features.friends import store
from features.friends.machine import OPEN, Answer, RequestState, Situation, Step, advance, ask, require_room
from features.friends.model import Asked, Direction, Friend, FriendRequest, PendingRequest
from features.friends.policy import FriendPolicy
from features.paging import Page, PageRequest, page_of
from features.profiles.model import Person
from features.profiles.service import ProfileService
from features.relationships.model import Held, no_such_person
from features.relationships.service import RelationshipService


@dataclass(frozen=True, slots=True)
class FriendService:
    policy: FriendPolicy
    relationships: RelationshipService
    profiles: ProfileService

    async def ask(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> Asked:
        """Ask somebody to be friends; who has asked me becomes a friend at once. Raises NotFound, Conflict for
        friends, LimitReached."""
        other = await self.profiles.resolve(uow, me, username)
        held = await self.relationships.hold(uow, me, other)
        mine, theirs = await self._open_between(uow, me, other)
        load = await store.load(uow, me, other, now - self.policy.window)
        situation = Situation(
            friends=held.standing.friends,
            mine=mine.state if mine else None,
            theirs=theirs.state if theirs else None,
            refused_at=load.refused_at,
            my_friends=held.mine.audience,
            their_friends=held.theirs.audience,
            my_pending=load.pending,
            sent_in_window=load.sent,
            oldest_in_window=load.oldest,
        )
        answer = ask(situation, self.policy, now)
        person = await self._person(uow, other)
        if answer is Answer.MEET and theirs:
            await self._befriend(uow, theirs, Step.MEET, now)
            return Asked(_seen_by(me, theirs, person), accepted=True, new=True)
        if mine:
            if answer is Answer.REVIVE:
                await self._take(uow, mine, Step.REVIVE, None)
                self._publish(uow, "friends.requested", mine, now)
            return Asked(_seen_by(me, mine, person), accepted=False, new=False)
        unseen = answer is Answer.SEND_UNSEEN
        state = RequestState.REFUSED if unseen else RequestState.WAITING
        request = FriendRequest(new_id(now), me, other, state, now, load.refused_at if unseen else None)
        await store.insert(uow, request)
        # Unseen or not, an event is written: the two cost the sender the same. Nobody is notified of this one.
        self._publish(uow, "friends.requested_unseen" if unseen else "friends.requested", request, now)
        return Asked(_seen_by(me, request, person), accepted=False, new=True)

    async def accept(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> Friend:
        """Become friends with somebody who asked. Raises NotFound, LimitReached."""
        request, held = await self._hold_request(uow, me, request_id, Direction.INCOMING)
        require_room(held.mine.audience, held.theirs.audience, self.policy)
        await self._befriend(uow, request, Step.ACCEPT, now)
        return Friend(await self._person(uow, request.sender_id), now)

    async def decline(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> None:
        """Say no to somebody who asked, without telling. Raises NotFound."""
        request, _ = await self._hold_request(uow, me, request_id, Direction.INCOMING)
        await self._take(uow, request, Step.REFUSE, now)

    async def withdraw(self, uow: UnitOfWork, me: UUID, request_id: UUID) -> None:
        """Take back a request of one's own. Raises NotFound."""
        request, _ = await self._hold_request(uow, me, request_id, Direction.OUTGOING)
        await self._take(uow, request, Step.WITHDRAW, request.refused_at)

    async def requests(
        self, uow: UnitOfWork, me: UUID, direction: Direction, page: PageRequest
    ) -> Page[PendingRequest]:
        """Requests that wait for an answer, newest first, in two statements."""
        rows = await store.pending(uow, me, direction, page)
        found = page_of(rows, page.limit, FriendRequest.cursor)
        people = await self.profiles.people(uow, [_other(me, request) for request in found.items])
        shown = [
            _seen_by(me, request, people[_other(me, request)])
            for request in found.items
            if _other(me, request) in people
        ]
        return Page(shown, found.next_cursor)

    async def pending(self, uow: UnitOfWork, me: UUID, other: UUID) -> Direction | None:
        """Whether one of the two has asked the other, as I may know it."""
        mine, theirs = await self._open_between(uow, me, other)
        if theirs and theirs.state is RequestState.WAITING:
            return Direction.INCOMING
        return Direction.OUTGOING if mine else None

    async def friends(self, uow: UnitOfWork, me: UUID, page: PageRequest) -> Page[Friend]:
        """One's friends, newest first, in two statements."""
        ties = await self.relationships.audience(uow, me, me, page)
        people = await self.profiles.people(uow, [tie.person_id for tie in ties.items])
        friends = [Friend(people[tie.person_id], tie.since) for tie in ties.items if tie.person_id in people]
        return Page(friends, ties.next_cursor)

    async def remove(self, uow: UnitOfWork, me: UUID, username: str, now: datetime) -> None:
        """End a friendship, without telling; does nothing between others. Raises NotFound."""
        other = await self.profiles.resolve(uow, me, username)
        await self.relationships.hold(uow, me, other)
        ended = await self.relationships.disconnect(uow, me, other, now)
        if await self.relationships.disconnect(uow, other, me, now) or ended:
            payload = {"by_id": str(me), "friend_id": str(other)}
            uow.publish(Event.now("friends.removed", me, payload, now=now))

    @staticmethod
    async def forget(uow: UnitOfWork, blocker_id: UUID, blocked_id: UUID) -> None:
        """End the pending requests between two people: what a block does (RelationshipService.on_block)."""
        await store.sever(uow, blocker_id, blocked_id)

    async def _open_between(
        self, uow: UnitOfWork, me: UUID, other: UUID
    ) -> tuple[FriendRequest | None, FriendRequest | None]:
        """My open request and theirs."""
        found = {request.sender_id: request for request in await store.open_between(uow, me, other)}
        return found.get(me), found.get(other)

    async def _hold_request(
        self, uow: UnitOfWork, me: UUID, request_id: UUID, direction: Direction
    ) -> tuple[FriendRequest, Held]:
        """A request that I see as pending, with both people's ties locked."""
        found = await store.find(uow, request_id)
        if found is None or not _sees(me, found, direction):
            raise _no_such_request()
        held = await self.relationships.hold(uow, me, _other(me, found))
        found = await store.find(uow, request_id)  # again: it may have changed until we held the lock
        if found is None or not _sees(me, found, direction):
            raise _no_such_request()
        return found, held

    async def _befriend(self, uow: UnitOfWork, request: FriendRequest, step: Step, now: datetime) -> None:
        await self._take(uow, request, step, None)
        await store.forget_refusals(uow, request.sender_id, request.recipient_id)
        await self.relationships.connect(uow, request.recipient_id, request.sender_id, now)
        await self.relationships.connect(uow, request.sender_id, request.recipient_id, now)
        self._publish(uow, "friends.accepted", request, now)

    async def _take(self, uow: UnitOfWork, request: FriendRequest, step: Step, refused_at: datetime | None) -> None:
        state = advance(request.state, step)
        assert state is not None, (request.state, step)
        await store.set_state(uow, request.id, state, refused_at)

    async def _person(self, uow: UnitOfWork, person_id: UUID) -> Person:
        person = (await self.profiles.people(uow, [person_id])).get(person_id)
        if person is None:
            raise no_such_person()
        return person

    def _publish(self, uow: UnitOfWork, type: str, request: FriendRequest, now: datetime) -> None:
        payload = {
            "request_id": str(request.id),
            "sender_id": str(request.sender_id),
            "recipient_id": str(request.recipient_id),
        }
        uow.publish(Event.now(type, request.id, payload, now=now))


def _other(me: UUID, request: FriendRequest) -> UUID:
    return request.recipient_id if request.sender_id == me else request.sender_id


def _seen_by(me: UUID, request: FriendRequest, person: Person) -> PendingRequest:
    direction = Direction.OUTGOING if request.sender_id == me else Direction.INCOMING
    return PendingRequest(request.id, person, direction, request.created_at)


def _sees(me: UUID, request: FriendRequest, direction: Direction) -> bool:
    if direction is Direction.INCOMING:
        return request.recipient_id == me and request.state is RequestState.WAITING
    return request.sender_id == me and request.state in OPEN


def _no_such_request() -> NotFound:
    return NotFound("no_such_request", "You have no such request.")
