"""Friends and friend requests over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.deps import Now, PageDep, ServicesDep, SignedIn, Uow
from api.models import PageModel, RequestModel, render_page
from api.profiles import PersonModel, Username, render_person
from api.transaction import TransactionRoute
from features.friends.model import Direction, Friend, PendingRequest

router = APIRouter(tags=["friends"], route_class=TransactionRoute)


class AskBody(RequestModel):
    username: str = Field(description="Whom to ask.", max_length=100, examples=["ada"])


class RequestView(BaseModel):
    """A friend request. `person` is the other one."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    person: PersonModel
    direction: Direction = Field(
        description="`outgoing`: the caller has asked; `incoming`: the other has.", examples=["outgoing"]
    )
    state: Literal["pending", "accepted"] = Field(examples=["pending"])
    created_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])


class FriendModel(BaseModel):
    person: PersonModel
    since: datetime = Field(examples=["2026-01-02T03:04:05Z"])


@router.post(
    "/friends/requests",
    status_code=201,
    responses={200: {"model": RequestView, "description": "The caller has asked before, and the request waits"}},
)
async def ask(
    body: AskBody, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now, response: Response
) -> RequestView:
    """Ask somebody to be friends. Who has asked the caller becomes a friend at once: `state` is then `accepted`."""
    sent = await services.friends.send_request(uow, identity.account_id, body.username, now)
    if not sent.new:
        response.status_code = 200
    return _render_request(sent.request, "accepted" if sent.accepted else "pending")


@router.get("/friends/requests", name="list_requests")
async def requests(
    identity: SignedIn,
    services: ServicesDep,
    uow: Uow,
    page: PageDep,
    direction: Annotated[
        Direction, Query(description="Those others have sent, or those the caller has.")
    ] = Direction.INCOMING,
) -> PageModel[RequestView]:
    """Requests that wait for an answer, newest first."""
    found = await services.friends.requests(uow, identity.account_id, direction, page)
    return render_page(found, lambda request: _render_request(request, "pending"))


@router.post("/friends/requests/{request_id}/accept")
async def accept(request_id: UUID, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> FriendModel:
    """Become friends with somebody who sent."""
    return _render_friend(await services.friends.accept(uow, identity.account_id, request_id, now))


@router.post("/friends/requests/{request_id}/decline", status_code=204)
async def decline(request_id: UUID, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """Say no to somebody who sent. The sender is not told."""
    await services.friends.decline(uow, identity.account_id, request_id, now)


@router.delete("/friends/requests/{request_id}", status_code=204)
async def withdraw(request_id: UUID, identity: SignedIn, services: ServicesDep, uow: Uow) -> None:
    """Take back a request of one's own."""
    await services.friends.withdraw(uow, identity.account_id, request_id)


@router.get("/friends", name="list")
async def friends(identity: SignedIn, services: ServicesDep, uow: Uow, page: PageDep) -> PageModel[FriendModel]:
    """The caller's friends, newest first."""
    return render_page(await services.friends.friends(uow, identity.account_id, page), _render_friend)


@router.delete("/friends/{username}", status_code=204)
async def remove(username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """End a friendship. The other is not told."""
    await services.friends.remove(uow, identity.account_id, username, now)


def _render_request(request: PendingRequest, state: Literal["pending", "accepted"]) -> RequestView:
    return RequestView(
        id=request.id,
        person=render_person(request.person),
        direction=request.direction,
        state=state,
        created_at=request.created_at,
    )


def _render_friend(friend: Friend) -> FriendModel:
    return FriendModel(person=render_person(friend.person), since=friend.since)
