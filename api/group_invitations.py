"""Invitations to encrypted groups over HTTP: links, requests to join, and their answers. docs/messaging.md."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from api.conditional import ConditionalRoute
from api.deps import Now, PageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.groups import GroupId
from api.models import Body, PageModel, render_page
from api.profiles import PersonModel, render_person
from api.routes import VERSION, Routes
from api.transaction import UnrepeatableRoute
from features.group_invitations.errors import (
    AlreadyInGroup,
    BadInvitationLifetime,
    GroupInvitationUsedUp,
    NoSuchGroupInvitation,
    NoSuchGroupJoinRequest,
    TooManyGroupInvitations,
    TooManyGroupJoinRequests,
)
from features.group_invitations.model import GroupInvitation, JoinDirection, SeenJoinRequest
from features.group_invitations.service import GroupInvitationService
from features.groups.errors import GroupFull, NoSuchGroup, NotAllowedInGroup, TooManyGroups
from features.groups.policy import GroupsPolicy

router = APIRouter(prefix=VERSION, tags=["groups"], route_class=ConditionalRoute)
making = APIRouter(prefix=VERSION, tags=["groups"], route_class=UnrepeatableRoute)

ROUTES = Routes((router, making))

Invitations = Annotated[GroupInvitationService, service(GroupInvitationService)]
InvitationId = Annotated[UUID, Path(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])]
RequestId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])]

_EXAMPLE = "Yk3vS0mQb1mJ8n5w2xqT7A"
_MAX_USES = GroupsPolicy().max_members


class GroupInvitationBody(Body):
    """An invitation to make."""

    expires_in_s: int | None = Field(
        default=None,
        ge=1,
        le=10 * 366 * 86_400,
        description="How long it is good, in seconds: a minute to 90 days; without it, as the brand says (seven days).",
        examples=[604_800],
    )
    max_uses: int = Field(
        default=100, ge=1, le=_MAX_USES, description="How many people can be let in by it.", examples=[10]
    )


class GroupInvitationModel(BaseModel):
    """An invitation to a group of which you are an owner or admin. It says nothing about the group to the server but
    which one it is."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    account_id: UUID = Field(description="Who has made it.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c02"])
    max_uses: int = Field(ge=1, examples=[10])
    uses: int = Field(ge=0, description="How many people were let in by it.", examples=[3])
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    expires_at: datetime = Field(examples=["2026-11-29T15:04:05.123456Z"])


class NewGroupInvitationModel(GroupInvitationModel):
    """An invitation that was just made. Its token is shown this one time."""

    token: str = Field(
        max_length=64, description="Whoever has it may ask to join. Clients put it into a link.", examples=[_EXAMPLE]
    )


class GroupJoinRequestBody(Body):
    """The invitation by which you ask."""

    token: str = Field(min_length=1, max_length=64, description="Of the invitation.", examples=[_EXAMPLE])


class GroupJoinRequestModel(BaseModel):
    """A request to join a group. Of your own requests you learn the group when you are in it."""

    id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])
    direction: JoinDirection = Field(
        description="`incoming`: you can answer it; `outgoing`: you have made it.", examples=["incoming"]
    )
    person: PersonModel | None = Field(description="Who asks; null for your own requests.")
    group_id: UUID | None = Field(
        description="Null for your own requests.", examples=["7c9e6679-7425-40de-944b-e07fc1f90ae7"]
    )
    invitation_id: UUID | None = Field(
        description="By which invitation; null for your own requests.",
        examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"],
    )
    asked_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    expires_at: datetime = Field(description="Until when it can be answered.", examples=["2026-12-22T15:04:05.123456Z"])


@making.post("/groups/{group_id}/invitations", status_code=HTTPStatus.CREATED, name="create_group_invitation")
@raises(NoSuchGroup, NotAllowedInGroup, BadInvitationLifetime, TooManyGroupInvitations)
async def create(
    group_id: GroupId, body: GroupInvitationBody, identity: SignedIn, invitations: Invitations, uow: Uow, now: Now
) -> NewGroupInvitationModel:
    """Make an invitation to a group of which you are an owner or admin. Who has it can ask to join: nobody comes in by
    it alone. It is good as long as you are an owner or admin."""
    lifetime = None if body.expires_in_s is None else timedelta(seconds=body.expires_in_s)
    made = await invitations.create(uow, identity.account_id, group_id, lifetime, body.max_uses, now)
    return NewGroupInvitationModel(**_members(made.invitation), token=made.token)


@router.get("/groups/{group_id}/invitations", name="list_group_invitations")
@raises(NoSuchGroup, NotAllowedInGroup)
async def listed(
    group_id: GroupId, identity: SignedIn, invitations: Invitations, uow: Uow, page: PageDep, now: Now
) -> PageModel[GroupInvitationModel]:
    """List the invitations to a group of which you are an owner or admin that have not expired, newest first, without
    their tokens."""
    found = await invitations.invitations(uow, identity.account_id, group_id, page, now)
    return render_page(found, lambda each: GroupInvitationModel(**_members(each)))


@router.delete(
    "/groups/{group_id}/invitations/{invitation_id}",
    status_code=HTTPStatus.NO_CONTENT,
    name="revoke_group_invitation",
)
@raises(NoSuchGroup, NotAllowedInGroup, NoSuchGroupInvitation)
async def revoke(
    group_id: GroupId, invitation_id: InvitationId, identity: SignedIn, invitations: Invitations, uow: Uow
) -> None:
    """Revoke an invitation to a group of which you are an owner or admin. Requests by it that nobody has answered are
    gone, too."""
    await invitations.revoke(uow, identity.account_id, group_id, invitation_id)


@router.post(
    "/group-join-requests",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": GroupJoinRequestModel, "description": "You are waiting already"}},
    name="ask_to_join_group",
)
@raises(NoSuchGroupInvitation, AlreadyInGroup, TooManyGroups, TooManyGroupJoinRequests)
async def ask(
    body: GroupJoinRequestBody,
    identity: SignedIn,
    invitations: Invitations,
    uow: Uow,
    now: Now,
    response: Response,
) -> GroupJoinRequestModel:
    """Ask to join the group of an invitation. When one of its owners or admins lets you in, your devices get a Welcome;
    nobody tells you if not."""
    sent = await invitations.ask(uow, identity.account_id, body.token, now)
    if not sent.new:
        response.status_code = HTTPStatus.OK
    return _render(SeenJoinRequest(sent.request))


@router.get("/group-join-requests", name="list_group_join_requests")
async def requests(
    identity: SignedIn,
    invitations: Invitations,
    uow: Uow,
    page: PageDep,
    now: Now,
    direction: Annotated[
        JoinDirection,
        Query(description="Requests that you can answer, in all groups, or your own.", examples=["incoming"]),
    ] = JoinDirection.INCOMING,
) -> PageModel[GroupJoinRequestModel]:
    """List requests to join that wait for an answer, newest first."""
    return render_page(await invitations.requests(uow, identity.account_id, direction, page, now), _render)


@router.post(
    "/group-join-requests/{request_id}/approve",
    status_code=HTTPStatus.NO_CONTENT,
    name="approve_group_join_request",
)
@raises(NoSuchGroupJoinRequest, GroupFull, GroupInvitationUsedUp)
async def approve(request_id: RequestId, identity: SignedIn, invitations: Invitations, uow: Uow, now: Now) -> None:
    """Let somebody into a group of which you are an owner or admin. Your device then adds them by a commit: the server
    cannot. The same again does nothing."""
    await invitations.approve(uow, identity.account_id, request_id, now)


@router.post(
    "/group-join-requests/{request_id}/decline",
    status_code=HTTPStatus.NO_CONTENT,
    name="decline_group_join_request",
)
@raises(NoSuchGroupJoinRequest)
async def decline(request_id: RequestId, identity: SignedIn, invitations: Invitations, uow: Uow, now: Now) -> None:
    """Decline a request to join a group of which you are an owner or admin. Who has asked is not told, and cannot ask
    again while the request would have waited."""
    await invitations.decline(uow, identity.account_id, request_id, now)


@router.delete(
    "/group-join-requests/{request_id}", status_code=HTTPStatus.NO_CONTENT, name="withdraw_group_join_request"
)
@raises(NoSuchGroupJoinRequest)
async def withdraw(request_id: RequestId, identity: SignedIn, invitations: Invitations, uow: Uow, now: Now) -> None:
    """Withdraw a request of yours to join a group."""
    await invitations.withdraw(uow, identity.account_id, request_id, now)


def _members(invitation: GroupInvitation) -> dict[str, object]:
    return {name: getattr(invitation, name) for name in GroupInvitationModel.model_fields}


def _render(seen: SeenJoinRequest) -> GroupJoinRequestModel:
    request, incoming = seen.request, seen.person is not None
    return GroupJoinRequestModel(
        id=request.id,
        direction=JoinDirection.INCOMING if incoming else JoinDirection.OUTGOING,
        person=None if seen.person is None else render_person(seen.person),
        group_id=request.group_id if incoming else None,
        invitation_id=request.invitation_id if incoming else None,
        asked_at=request.asked_at,
        expires_at=request.expires_at,
    )
