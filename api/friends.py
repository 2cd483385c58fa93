"""Friends and friend requests over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.conditional import ConditionalRoute
from api.deps import Now, SealedPageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.models import Body, PageModel, render_page
from api.profiles import PersonModel, Username, render_person
from api.routes import VERSION, Routes
from api.transaction import located
from features.friends.errors import (
    CAPACITY_ERRORS,
    AlreadyFriends,
    NoSuchRequest,
    TooManyPendingRequests,
    TooManyRequestsSent,
)
from features.friends.model import Direction, Friend, PendingRequest
from features.friends.service import FriendService
from features.relationships.errors import PERSON_ERRORS

router = APIRouter(prefix=VERSION, tags=["friends"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

Friends = Annotated[FriendService, service(FriendService)]


class FriendRequestBody(Body):
    username: str = Field(description="The recipient.", max_length=100, examples=["ada"])


class FriendRequestModel(BaseModel):
    """A friend request. `person` is the other account."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    person: PersonModel
    direction: Direction = Field(
        description="`outgoing`: sent by the caller; `incoming`: sent by the other.", examples=["outgoing"]
    )
    state: Literal["pending", "accepted"] = Field(examples=["pending"])
    created_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])


class FriendModel(BaseModel):
    person: PersonModel
    since: datetime = Field(examples=["2026-01-02T03:04:05Z"])


@router.post(
    "/friends/requests",
    status_code=201,
    responses={200: {"model": FriendRequestModel, "description": "The caller has a pending request already"}},
)
@raises(*PERSON_ERRORS, *CAPACITY_ERRORS, AlreadyFriends, TooManyPendingRequests, TooManyRequestsSent)
@located("/friends/requests/{id}")
async def ask(
    body: FriendRequestBody, identity: SignedIn, friends: Friends, uow: Uow, now: Now, response: Response
) -> FriendRequestModel:
    """Send a friend request. If the recipient has sent one to the caller, `state` is `accepted`: both are friends."""
    sent = await friends.send_request(uow, identity.account_id, body.username, now)
    if not sent.new:
        response.status_code = 200
    return _render_request(sent.request, "accepted" if sent.accepted else "pending")


@router.get("/friends/requests", name="list_requests")
async def requests(
    identity: SignedIn,
    friends: Friends,
    uow: Uow,
    page: SealedPageDep,
    direction: Annotated[
        Direction, Query(description="Requests that others have sent, or those that the caller has sent.")
    ] = Direction.INCOMING,
) -> PageModel[FriendRequestModel]:
    """List pending requests, newest first. A page may have fewer items than asked for, even none,
    and a `next_cursor`."""
    found = await friends.requests(uow, identity.account_id, direction, page)
    return render_page(found, lambda request: _render_request(request, "pending"))


@router.get("/friends/requests/{request_id}", name="get_request")
@raises(NoSuchRequest)
async def request(request_id: UUID, identity: SignedIn, friends: Friends, uow: Uow) -> FriendRequestModel:
    """Read a friend request that the caller has sent or received, while it is pending or if it was accepted."""
    seen = await friends.request(uow, identity.account_id, request_id)
    return _render_request(seen.request, "accepted" if seen.accepted else "pending")


@router.post("/friends/requests/{request_id}/accept")
@raises(NoSuchRequest, *CAPACITY_ERRORS)
async def accept(request_id: UUID, identity: SignedIn, friends: Friends, uow: Uow, now: Now) -> FriendModel:
    """Accept a friend request."""
    return _render_friend(await friends.accept(uow, identity.account_id, request_id, now))


@router.post("/friends/requests/{request_id}/decline", status_code=204)
@raises(NoSuchRequest)
async def decline(request_id: UUID, identity: SignedIn, friends: Friends, uow: Uow, now: Now) -> None:
    """Refuse a friend request. The sender is not notified."""
    await friends.decline(uow, identity.account_id, request_id, now)


@router.delete("/friends/requests/{request_id}", status_code=204)
@raises(NoSuchRequest)
async def withdraw(request_id: UUID, identity: SignedIn, friends: Friends, uow: Uow) -> None:
    """Withdraw a friend request."""
    await friends.withdraw(uow, identity.account_id, request_id)


@router.get("/friends", name="list")
async def friends(identity: SignedIn, friends: Friends, uow: Uow, page: SealedPageDep) -> PageModel[FriendModel]:
    """List the caller's friends, newest first. A page may have fewer items than asked for, even none,
    and a `next_cursor`."""
    return render_page(await friends.friends(uow, identity.account_id, page), _render_friend)


@router.delete("/friends/{username}", status_code=204)
@raises(*PERSON_ERRORS)
async def remove(username: Username, identity: SignedIn, friends: Friends, uow: Uow, now: Now) -> None:
    """End a friendship. The other is not notified."""
    await friends.remove(uow, identity.account_id, username, now)


def _render_request(request: PendingRequest, state: Literal["pending", "accepted"]) -> FriendRequestModel:
    return FriendRequestModel(
        id=request.id,
        person=render_person(request.person),
        direction=request.direction,
        state=state,
        created_at=request.created_at,
    )


def _render_friend(friend: Friend) -> FriendModel:
    return FriendModel(person=render_person(friend.person), since=friend.since)
