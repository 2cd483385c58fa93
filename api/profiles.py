"""Profiles over HTTP, and the representation of people in other responses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api import models
from api.deps import MaybeSignedIn, Now, PlatformDep, SignedIn, Uow, account_or_none, service
from api.error_codes import raises
from api.models import MAX_DECOMPOSED, Body
from api.platform import Platform
from api.routes import Routes
from api.transaction import TransactionRoute
from features.friends.model import Direction
from features.friends.service import FriendService
from features.profiles.errors import BadLink, TooManyLinks
from features.profiles.model import (
    MAX_USERNAME_CHARACTERS,
    MIN_USERNAME_CHARACTERS,
    USERNAME_CHARACTERS,
    Person,
    ProfileView,
)
from features.profiles.policy import ProfilePolicy
from features.profiles.service import ProfileService
from features.relationships.errors import NoSuchPerson
from features.text_errors import TEXT_ERRORS

router = APIRouter(tags=["profiles"], route_class=TransactionRoute)

ROUTES = Routes((router,))

Profiles = Annotated[ProfileService, service(ProfileService)]

Username = Annotated[
    str,
    Path(
        description="A username, in upper or lower case.",
        min_length=MIN_USERNAME_CHARACTERS,
        max_length=MAX_USERNAME_CHARACTERS,
        pattern=f"^{USERNAME_CHARACTERS}+$",
        examples=["ada"],
    ),
]


_Link = Annotated[str, Field(max_length=ProfilePolicy().max_link_characters)]
_RawLink = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_link_characters)]
_RawName = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_name_characters)]
_RawBio = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_bio_characters)]
_RawPronouns = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_pronouns_characters)]
_MAX_RAW_LINKS = 20


class PersonModel(BaseModel):
    """A person in a list."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    username: models.Username = Field(examples=["ada"])
    name: models.Name = Field(examples=["Ada Lovelace"])


def render_person(person: Person) -> PersonModel:
    return PersonModel(id=person.id, username=person.username, name=person.name)


class CountsModel(BaseModel):
    """The number of a person's connections. Kinds of connections that the product does not have are null."""

    friends: int | None = Field(examples=[112])
    followers: int | None = Field(examples=[None])
    following: int | None = Field(examples=[None])


class RelationshipModel(BaseModel):
    """The caller's relationship to the person. Kinds of connections that the product does not have are null."""

    friends: bool | None = Field(examples=[False])
    friend_request: Direction | None = Field(
        examples=["outgoing"],
        description="A pending request: `outgoing` if the caller sent it, `incoming` if the person did.",
    )
    following: bool | None = Field(description="The caller follows the person.", examples=[None])
    followed_by: bool | None = Field(description="The person follows the caller.", examples=[None])
    muted: bool = Field(examples=[False])
    close_friend: bool = Field(description="The person is among the caller's close friends.", examples=[False])


class ProfileModel(BaseModel):
    """A profile. `relationship` is null without an access token and for the caller's own profile."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    username: models.Username = Field(examples=["ada"])
    name: models.Name = Field(examples=["Ada Lovelace"])
    bio: str = Field(max_length=ProfilePolicy().max_bio_characters, examples=["Poetical science."])
    pronouns: str = Field(max_length=ProfilePolicy().max_pronouns_characters, examples=["she/her"])
    links: list[_Link] = Field(max_length=ProfilePolicy().max_links, examples=[["https://example.org/ada"]])
    joined_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])
    counts: CountsModel
    relationship: RelationshipModel | None


class ProfileChangeBody(Body):
    """The changes to a profile. What is absent or null stays; an empty text or list clears."""

    name: _RawName | None = Field(default=None, description="Up to 50 characters.", examples=["Ada Lovelace"])
    bio: _RawBio | None = Field(
        default=None, description="Up to 500 characters, may have several lines.", examples=["Poetical science."]
    )
    pronouns: _RawPronouns | None = Field(default=None, description="Up to 40 characters.", examples=["she/her"])
    links: Annotated[list[_RawLink], Field(max_length=_MAX_RAW_LINKS)] | None = Field(
        default=None, description="Up to 5 web addresses.", examples=[["https://example.org/ada"]]
    )


@router.get("/profiles/me")
async def me(identity: SignedIn, profiles: Profiles, platform: PlatformDep, uow: Uow) -> ProfileModel:
    """Get the caller's own profile."""
    return _render(await profiles.own(uow, identity.account_id), platform, None)


@router.patch("/profiles/me")
@raises(*TEXT_ERRORS, TooManyLinks, BadLink)
async def change_me(
    body: ProfileChangeBody, identity: SignedIn, profiles: Profiles, platform: PlatformDep, uow: Uow, now: Now
) -> ProfileModel:
    """Change the caller's own profile."""
    view = await profiles.update(
        uow,
        identity.account_id,
        name=body.name,
        bio=body.bio,
        pronouns=body.pronouns,
        links=body.links,
        now=now,
    )
    return _render(view, platform, None)


@router.get("/profiles/{username}")
@raises(NoSuchPerson)
async def show(
    username: Username, identity: MaybeSignedIn, profiles: Profiles, platform: PlatformDep, uow: Uow
) -> ProfileModel:
    """Get a person's profile, and the caller's relationship to the person."""
    view = await profiles.view(uow, account_or_none(identity), username)
    request = None
    if identity and view.state and not view.state.friends and (friends := platform.find(FriendService)):
        request = await friends.pending(uow, identity.account_id, view.profile.account_id)
    return _render(view, platform, request)


def _render(view: ProfileView, platform: Platform, request: Direction | None) -> ProfileModel:
    # What the brand has decides, not what this application serves of it.
    friends, follows = "friends" in platform.brand_features, "follows" in platform.brand_features
    counts, state = view.counts, view.state
    relationship = None
    if state is not None:
        relationship = RelationshipModel(
            friends=state.friends if friends else None,
            friend_request=request,
            following=state.followed_by_me if follows else None,
            followed_by=state.follows_me if follows else None,
            muted=state.muted,
            close_friend=state.close_friend,
        )
    return ProfileModel(
        id=view.profile.account_id,
        username=view.profile.username,
        name=view.profile.name,
        bio=view.profile.bio,
        pronouns=view.profile.pronouns,
        links=list(view.profile.links),
        joined_at=view.profile.created_at,
        counts=CountsModel(
            friends=counts.audience if friends else None,
            followers=counts.audience if follows else None,
            following=counts.following if follows else None,
        ),
        relationship=relationship,
    )
