"""Profiles over HTTP.

Also the representation of people in other responses.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api import models
from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, PlatformDep, SignedIn, Uow, account_or_none, service
from api.error_codes import raises
from api.models import MAX_DECOMPOSED, Body
from api.platform import Platform
from api.routes import VERSION, Routes
from cluster.postgres import UnitOfWork
from features.friends.model import Direction
from features.friends.service import FriendService
from features.identity import Identity
from features.profiles.errors import BadLink, TooManyLinks
from features.profiles.images import avatar_view, path_of
from features.profiles.model import (
    MAX_USERNAME_CHARACTERS,
    MIN_USERNAME_CHARACTERS,
    USERNAME_CHARACTERS,
    Person,
    ProfileImage,
    ProfileView,
)
from features.profiles.policy import ProfilePolicy
from features.profiles.service import ProfileService
from features.relationships.errors import NoSuchPerson
from features.relationships.model import RelationshipState
from features.relationships.service import RelationshipService
from features.text_errors import TEXT_ERRORS

router = APIRouter(prefix=VERSION, tags=["profiles"], route_class=ConditionalRoute)

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


PersonId = Annotated[UUID, Path(description="The id of an account.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])]

_Link = Annotated[str, Field(max_length=ProfilePolicy().max_link_characters)]
_RawLink = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_link_characters)]
_RawName = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_name_characters)]
_RawBio = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_bio_characters)]
_RawPronouns = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfilePolicy().max_pronouns_characters)]
_MAX_RAW_LINKS = 20


class AvatarModel(BaseModel):
    """The image of a person. Its files are `{path}/{width}.webp` and `{path}/{width}.jpg`, without an access token; it
    is described by the person's name."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        max_length=200,
        description="Relative to the address of the API (`/v1`).",
        examples=["/profile-media/0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"],
    )
    blurhash: str = Field(
        max_length=100, description="A preview (https://blurha.sh).", examples=["LEHV6nWB2yk8pyo0adR*.7kCMdnj"]
    )
    widths: list[int] = Field(
        max_length=20, description="Of its files, ascending, in pixels.", examples=[[320, 640, 1080]]
    )


class CoverModel(AvatarModel):
    """The image on top of a profile. Its files are those of an avatar's kind."""

    alt: models.AltText = Field(
        description="What it shows, for people who do not see it; empty: not described.", examples=["A tram on a hill"]
    )
    width: int = Field(ge=1, description="Of the image, in pixels.", examples=[4032])
    height: int = Field(ge=1, examples=[1512])


def render_avatar(image: ProfileImage | None) -> AvatarModel | None:
    avatar = avatar_view(image)
    return AvatarModel(**avatar) if avatar else None


class PersonModel(BaseModel):
    """A person in a list."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    username: models.Username = Field(examples=["ada"])
    name: models.Name = Field(examples=["Ada Lovelace"])
    avatar: AvatarModel | None = Field(description="Null: the person shows none.")


def render_person(person: Person) -> PersonModel:
    avatar = render_avatar(person.avatar)
    return PersonModel(id=person.id, username=person.username, name=person.name, avatar=avatar)


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
    avatar: AvatarModel | None = Field(description="Null: the person shows none.")
    cover: CoverModel | None = Field(description="Null: the profile shows none.")
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
    return render_own(await profiles.own(uow, identity.account_id), platform)


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
    return render_own(view, platform)


@router.get("/profiles/{username}")
@raises(NoSuchPerson)
async def show(
    username: Username, identity: MaybeSignedIn, profiles: Profiles, platform: PlatformDep, uow: Uow
) -> ProfileModel:
    """Get a person's profile, and the caller's relationship to the person."""
    view = await profiles.view(uow, account_or_none(identity), username)
    return _render(view, platform, await _relationship(uow, platform, identity, view))


@router.get("/people/{person_id}")
@raises(NoSuchPerson)
async def by_id(
    person_id: PersonId, identity: MaybeSignedIn, profiles: Profiles, platform: PlatformDep, uow: Uow
) -> ProfileModel:
    """Get a person's profile by id, which never changes, and the caller's relationship to the person."""
    view = await profiles.view_by_id(uow, account_or_none(identity), person_id)
    return _render(view, platform, await _relationship(uow, platform, identity, view))


async def relationship_to(uow: UnitOfWork, platform: Platform, me: UUID, other: UUID) -> RelationshipModel:
    """Returns the caller's relationship to an account as it is now."""
    found = await platform.service(RelationshipService).relationship(uow, me, other)
    return await _render_relationship(uow, platform, me, other, found.state)


async def _relationship(
    uow: UnitOfWork, platform: Platform, identity: Identity | None, view: ProfileView
) -> RelationshipModel | None:
    if identity is None or view.state is None:
        return None
    return await _render_relationship(uow, platform, identity.account_id, view.profile.account_id, view.state)


async def _render_relationship(
    uow: UnitOfWork, platform: Platform, me: UUID, other: UUID, state: RelationshipState
) -> RelationshipModel:
    # What the brand has decides, not what this application serves of it.
    has_friends, has_follows = "friends" in platform.brand_features, "follows" in platform.brand_features
    request = None
    if not state.friends and (friends := platform.find(FriendService)):
        request = await friends.pending(uow, me, other)
    return RelationshipModel(
        friends=state.friends if has_friends else None,
        friend_request=request,
        following=state.followed_by_me if has_follows else None,
        followed_by=state.follows_me if has_follows else None,
        muted=state.muted,
        close_friend=state.close_friend,
    )


def render_own(view: ProfileView, platform: Platform) -> ProfileModel:
    """Returns the caller's own profile."""
    return _render(view, platform, None)


def _render_cover(image: ProfileImage | None) -> CoverModel | None:
    if image is None:
        return None
    return CoverModel(
        path=path_of(image),
        blurhash=image["blurhash"],
        widths=image["widths"],
        alt=image["alt"],
        width=image["width"],
        height=image["height"],
    )


def _render(view: ProfileView, platform: Platform, relationship: RelationshipModel | None) -> ProfileModel:
    friends, follows = "friends" in platform.brand_features, "follows" in platform.brand_features
    counts = view.counts
    return ProfileModel(
        id=view.profile.account_id,
        username=view.profile.username,
        name=view.profile.name,
        bio=view.profile.bio,
        pronouns=view.profile.pronouns,
        links=list(view.profile.links),
        avatar=render_avatar(view.profile.images.avatar),
        cover=_render_cover(view.profile.images.cover),
        joined_at=view.profile.created_at,
        counts=CountsModel(
            friends=counts.audience if friends else None,
            followers=counts.audience if follows else None,
            following=counts.following if follows else None,
        ),
        relationship=relationship,
    )
