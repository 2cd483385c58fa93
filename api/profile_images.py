"""Avatars and covers over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from api.byte_range import RANGE_NOT_SATISFIABLE
from api.conditional import ConditionalRoute
from api.content import IfNoneMatch, IfRange, Range
from api.deps import Now, PlatformDep, SignedIn, Uow, limit_files, service
from api.error_codes import TooManyRequests, raises
from api.image_formats import preferred_name
from api.media import CONTENT_RESPONSES, Service, public_cache_control, send_shown_file
from api.models import MAX_DECOMPOSED, Body
from api.post_media import Name
from api.profiles import ProfileModel, render_own
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from features.media.errors import NoSuchMedia
from features.profile_images.errors import COVER_ERRORS, IMAGE_ERRORS
from features.profile_images.policy import ProfileImagePolicy
from features.profile_images.service import ProfileImageService

router = APIRouter(prefix=VERSION, tags=["profiles"], route_class=ConditionalRoute)
content = APIRouter(prefix=VERSION, tags=["profiles"], route_class=TransactionRoute)

ROUTES = Routes((router, content))

ProfileImages = Annotated[ProfileImageService, service(ProfileImageService)]

_RawAlt = Annotated[str, Field(max_length=MAX_DECOMPOSED * ProfileImagePolicy().max_alt_length)]
_MEDIUM = "One of your images that is ready and that nothing else shows."


class AvatarBody(Body):
    """An image to show as your avatar, at least 100 pixels high and wide. Clients show its middle."""

    id: UUID = Field(description=_MEDIUM, examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])


class CoverBody(Body):
    """An image to show on top of your profile, at least 300 pixels wide and 100 high."""

    id: UUID = Field(description=_MEDIUM, examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    alt: _RawAlt = Field(
        default="",
        description="What it shows, in one line of at most 1,000 characters, for people who do not see it.",
        examples=["A tram on a hill"],
    )


@router.put("/profiles/me/avatar")
@raises(*IMAGE_ERRORS)
async def put_avatar(
    body: AvatarBody, identity: SignedIn, images: ProfileImages, platform: PlatformDep, uow: Uow, now: Now
) -> ProfileModel:
    """Show an image wherever you are shown, in place of your former avatar."""
    return render_own(await images.put_avatar(uow, identity.account_id, body.id, now), platform)


@router.delete("/profiles/me/avatar", status_code=HTTPStatus.NO_CONTENT)
async def delete_avatar(identity: SignedIn, images: ProfileImages, uow: Uow, now: Now) -> None:
    """Show no avatar of yours. The image stays among your media for seven days."""
    await images.remove_avatar(uow, identity.account_id, now)


@router.put("/profiles/me/cover")
@raises(*COVER_ERRORS)
async def put_cover(
    body: CoverBody, identity: SignedIn, images: ProfileImages, platform: PlatformDep, uow: Uow, now: Now
) -> ProfileModel:
    """Show an image on top of your profile, in place of your former cover."""
    return render_own(await images.put_cover(uow, identity.account_id, body.id, body.alt, now), platform)


@router.delete("/profiles/me/cover", status_code=HTTPStatus.NO_CONTENT)
async def delete_cover(identity: SignedIn, images: ProfileImages, uow: Uow, now: Now) -> None:
    """Show no cover on your profile. The image stays among your media for seven days."""
    await images.remove_cover(uow, identity.account_id, now)


@content.get("/profile-media/{media_id}/{name}", response_class=Response, responses=CONTENT_RESPONSES)
@raises(NoSuchMedia, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_profile_file(
    media_id: Annotated[UUID, Path(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])],
    name: Name,
    request: Request,
    images: ProfileImages,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of an avatar or a cover by its path. What is at an address never changes; it is gone when the profile
    shows another image, and caches ask again within an hour."""
    await limit_files(request)
    file = await images.get_file(uow, media_id, preferred_name(name, request))
    response = await send_shown_file(media, media_id, file, now, range, if_range, if_none_match)
    response.headers["Cache-Control"] = public_cache_control(media)
    return response
