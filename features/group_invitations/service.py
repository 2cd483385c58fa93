"""The service of invitations to groups. An invitation lets nobody in: who has its token may ask, and is added by the
device of an owner or admin, like anybody else."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.events import publish
from features.group_invitations import request_store, store
from features.group_invitations.errors import (
    AlreadyInGroup,
    BadInvitationLifetime,
    GroupInvitationUsedUp,
    NoSuchGroupInvitation,
    NoSuchGroupJoinRequest,
    TooManyGroupInvitations,
    TooManyGroupJoinRequests,
)
from features.group_invitations.events import GroupJoinRequested
from features.group_invitations.machine import JoinState, Step, advance
from features.group_invitations.model import (
    GroupInvitation,
    JoinDirection,
    JoinRequest,
    NewInvitation,
    SeenJoinRequest,
    SentJoinRequest,
)
from features.group_invitations.policy import GroupInvitationPolicy
from features.groups.service import GroupService
from features.paging import Page, PageRequest, page_of
from features.profiles.service import ProfileService

_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class GroupInvitationService:
    """Operations on invitations, and on the requests that are made by them."""

    policy: GroupInvitationPolicy
    groups: GroupService
    profiles: ProfileService

    async def create(
        self, uow: UnitOfWork, me: UUID, group_id: UUID, lifetime: timedelta | None, max_uses: int, now: datetime
    ) -> NewInvitation:
        """Makes an invitation to a group of which the caller is an owner or admin. Raises NoSuchGroup,
        NotAllowedInGroup, BadInvitationLifetime, TooManyGroupInvitations."""
        policy = self.policy
        lifetime = policy.lifetime if lifetime is None else lifetime
        if not policy.min_lifetime <= lifetime <= policy.max_lifetime:
            shortest, longest = int(policy.min_lifetime.total_seconds()), policy.max_lifetime.days
            raise BadInvitationLifetime(f"An invitation is good for {shortest} seconds to {longest} days.")
        await self.groups.require_manager(uow, me, group_id)
        if await store.lock(uow, group_id, now) >= policy.max_invitations:
            raise TooManyGroupInvitations(f"A group can have at most {policy.max_invitations} invitations.")
        token = token_urlsafe(_TOKEN_BYTES)
        invitation = GroupInvitation(new_id(now), group_id, me, max_uses, 0, now, now + lifetime)
        await store.insert(uow, invitation, _digest(token))
        return NewInvitation(invitation, token)

    async def invitations(
        self, uow: UnitOfWork, me: UUID, group_id: UUID, page: PageRequest, now: datetime
    ) -> Page[GroupInvitation]:
        """Returns the invitations to a group that have not expired, newest first. Raises NoSuchGroup,
        NotAllowedInGroup."""
        await self.groups.require_manager(uow, me, group_id)
        return page_of(await store.of_group(uow, group_id, page, now), page.limit, GroupInvitation.cursor)

    async def revoke(self, uow: UnitOfWork, me: UUID, group_id: UUID, invitation_id: UUID) -> None:
        """Ends an invitation, and the requests by it that nobody has answered. Raises NoSuchGroup, NotAllowedInGroup,
        NoSuchGroupInvitation."""
        await self.groups.require_manager(uow, me, group_id)
        await request_store.forget_unanswered(uow, group_id, invitation_id)  # locked as by `approve`: requests first
        if not await store.delete(uow, group_id, invitation_id):
            raise NoSuchGroupInvitation

    async def ask(self, uow: UnitOfWork, me: UUID, token: str, now: datetime) -> SentJoinRequest:
        """Asks to join the group of an invitation. Who waits already goes on waiting. Raises NoSuchGroupInvitation,
        AlreadyInGroup, TooManyGroups, TooManyGroupJoinRequests."""
        invitation = await store.open(uow, _digest(token), me, now)
        if invitation is None:
            raise NoSuchGroupInvitation
        if await request_store.is_member(uow, me, invitation.group_id):
            raise AlreadyInGroup
        before = await request_store.lock(uow, me, invitation.group_id)
        if before is not None and before.expires_at <= now:
            before = None
        state = JoinState.WAITING if before is None else advance(before.state, Step.ASK)
        assert state is not None  # everybody may ask again
        if before is not None and state is before.state:
            return SentJoinRequest(before, new=False)
        await self._require_room(uow, me, invitation, before, now)
        expires_at = now + self.policy.request_lifetime
        request = JoinRequest(new_id(now), invitation.group_id, me, invitation.id, state, now, expires_at)
        await request_store.put(uow, request)
        if before is None:
            publish(uow, GroupJoinRequested(request.id, request.group_id, me), now)
        return SentJoinRequest(request, new=True)

    async def requests(
        self, uow: UnitOfWork, me: UUID, direction: JoinDirection, page: PageRequest, now: datetime
    ) -> Page[SeenJoinRequest]:
        """Returns the requests to join that the caller can answer, in all groups, or the caller's own that wait, newest
        first. Two statements."""
        found = page_of(await request_store.pending(uow, me, direction, page, now), page.limit, JoinRequest.cursor)
        if direction is JoinDirection.OUTGOING:
            return Page([SeenJoinRequest(each) for each in found.items], found.next_cursor)
        people = await self.profiles.people(uow, [each.account_id for each in found.items])
        seen = [SeenJoinRequest(each, people[each.account_id]) for each in found.items if each.account_id in people]
        return Page(seen, found.next_cursor)

    async def approve(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> None:
        """Lets somebody in: the caller's device adds them then. A second time does nothing. Raises
        NoSuchGroupJoinRequest, GroupFull, GroupInvitationUsedUp."""
        request = await self._advance(uow, me, request_id, JoinDirection.INCOMING, Step.APPROVE, now)
        if request.state is JoinState.APPROVED:
            return
        await self.groups.require_room(uow, me, request.group_id)
        if not await store.use(uow, request.invitation_id):
            raise GroupInvitationUsedUp

    async def decline(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> None:
        """Lets somebody not in, who is not told. Raises NoSuchGroupJoinRequest."""
        await self._advance(uow, me, request_id, JoinDirection.INCOMING, Step.DECLINE, now)

    async def withdraw(self, uow: UnitOfWork, me: UUID, request_id: UUID, now: datetime) -> None:
        """Takes a request of the caller back. Raises NoSuchGroupJoinRequest."""
        await self._advance(uow, me, request_id, JoinDirection.OUTGOING, Step.WITHDRAW, now)

    async def _advance(
        self, uow: UnitOfWork, me: UUID, request_id: UUID, direction: JoinDirection, step: Step, now: datetime
    ) -> JoinRequest:
        """Returns the request as it was before."""
        request = await request_store.lock_request(uow, request_id, me, direction, now)
        state = None if request is None else advance(request.state, step)
        if request is None or state is None:
            raise NoSuchGroupJoinRequest
        if state is not request.state:
            await request_store.set_state(uow, request.id, state)
        return request

    async def _require_room(
        self, uow: UnitOfWork, me: UUID, invitation: GroupInvitation, before: JoinRequest | None, now: datetime
    ) -> None:
        await self.groups.require_capacity(uow, me)
        # One that was approved is not counted, and counts from now on.
        counted = before is not None and before.state is not JoinState.APPROVED
        asked = await request_store.count_of_account(uow, me, now) - counted
        waiting = await request_store.count_of_invitation(uow, invitation.id, now)
        if asked >= self.policy.max_asked or waiting >= self.policy.max_waiting:
            raise TooManyGroupJoinRequests


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
