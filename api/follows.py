"""Follows over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.conditional import ConditionalRoute
from api.deps import Now, PlatformDep, SealedPageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.models import PageModel, render_page
from api.profiles import PersonModel, RelationshipModel, Username, relationship_to, render_person
from api.routes import VERSION, Routes
from features.follows.errors import TooManyFollowed, TooManyFollowsToday
from features.follows.model import Follow
from features.follows.service import FollowService
from features.relationships.errors import PERSON_ERRORS, NoSuchPerson

router = APIRouter(prefix=VERSION, tags=["follows"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

Follows = Annotated[FollowService, service(FollowService)]


class FollowModel(BaseModel):
    person: PersonModel
    since: datetime = Field(examples=["2026-01-02T03:04:05Z"])


@router.put("/follows/{username}")
@raises(*PERSON_ERRORS, TooManyFollowed, TooManyFollowsToday)
async def follow(
    username: Username, identity: SignedIn, follows: Follows, platform: PlatformDep, uow: Uow, now: Now
) -> RelationshipModel:
    """Follow somebody. The response is the relationship after it."""
    other = await follows.follow(uow, identity.account_id, username, now)
    return await relationship_to(uow, platform, identity.account_id, other)


@router.delete("/follows/{username}", status_code=204)
@raises(*PERSON_ERRORS)
async def unfollow(username: Username, identity: SignedIn, follows: Follows, uow: Uow, now: Now) -> None:
    """Unfollow somebody."""
    await follows.unfollow(uow, identity.account_id, username, now)


@router.delete("/followers/{username}", status_code=204)
@raises(*PERSON_ERRORS)
async def remove_follower(username: Username, identity: SignedIn, follows: Follows, uow: Uow, now: Now) -> None:
    """Remove a follower. The follower is not notified."""
    await follows.remove_follower(uow, identity.account_id, username, now)


@router.get("/profiles/{username}/followers")
@raises(NoSuchPerson)
async def followers(
    username: Username, identity: SignedIn, follows: Follows, uow: Uow, page: SealedPageDep
) -> PageModel[FollowModel]:
    """List a person's followers, newest first. A page may have fewer items than asked for, even none, and a
    `next_cursor`."""
    found = await follows.followers(uow, identity.account_id, username, page)
    return render_page(found, _render)


@router.get("/profiles/{username}/following")
@raises(NoSuchPerson)
async def following(
    username: Username, identity: SignedIn, follows: Follows, uow: Uow, page: SealedPageDep
) -> PageModel[FollowModel]:
    """List whom a person follows, newest first. A page may have fewer items than asked for, even none, and a
    `next_cursor`."""
    found = await follows.following(uow, identity.account_id, username, page)
    return render_page(found, _render)


def _render(follow: Follow) -> FollowModel:
    return FollowModel(person=render_person(follow.person), since=follow.since)
