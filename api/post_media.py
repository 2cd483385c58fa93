"""Files of the media of posts over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.byte_range import RANGE_NOT_SATISFIABLE
from api.content import IfNoneMatch, IfRange, Range
from api.deps import MaybeSignedIn, Now, Uow, account_or_none, limit_files, service
from api.error_codes import TooManyRequests, raises
from api.image_formats import preferred_name
from api.media import CONTENT_RESPONSES, Service, grant_of, public_cache_control, send_shown_file
from api.routes import VERSION
from api.transaction import TransactionRoute
from features.media.errors import NoSuchMedia
from features.posts.attachments import public_file, visible_file
from features.posts.errors import NoSuchPost
from features.posts.policy import PostPolicy
from features.posts.service import PostService

router = APIRouter(prefix=VERSION, tags=["posts"], route_class=TransactionRoute)
content = APIRouter(prefix=VERSION, tags=["posts"], route_class=TransactionRoute)

Posts = Annotated[PostService, service(PostService)]
Name = Annotated[str, Path(max_length=100, description="A width and a format of the medium.", examples=["640.webp"])]


class PostMediaAddressModel(BaseModel):
    """Where you read the files of a medium without an access token: `{path}/{width}.webp`, `{path}/{width}.jpg`; of a
    video, `{path}/stream/master.m3u8` and `{path}/stream/poster.jpg`. It is yours: whoever has it can use it until it
    expires. It ends when you may no longer see the post, or its audience changes."""

    id: UUID = Field(description="Of the medium.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    path: str = Field(
        max_length=200, description="Relative to the address of the API.", examples=["/post-media/AgGX8cBdHHwem"]
    )
    expires_at: datetime = Field(examples=["2026-01-02T04:00:00Z"])


class PostMediaModel(BaseModel):
    """Addresses of a post's media, in its order."""

    items: list[PostMediaAddressModel] = Field(max_length=PostPolicy().max_media)


@router.get("/posts/{post_id}/media")
@raises(NoSuchPost)
async def media_addresses(
    post_id: Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])],
    identity: MaybeSignedIn,
    posts: Posts,
    uow: Uow,
    now: Now,
) -> PostMediaModel:
    """Get addresses of a post's media that elements of web pages can use."""
    found = await posts.media_addresses(uow, post_id, account_or_none(identity), now)
    return PostMediaModel(
        items=[
            PostMediaAddressModel(id=media_id, path=f"/post-media/{address.token}", expires_at=address.expires_at)
            for media_id, address in found
        ]
    )


@content.get("/post-media/{token}/{name}", response_class=Response, responses=CONTENT_RESPONSES)
@raises(NoSuchMedia, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_post_file(
    token: Annotated[str, Path(max_length=200, examples=["AgGX8cBdHHwem"])],
    name: Name,
    request: Request,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of a post's medium by an address, without an access token."""
    grant = await grant_of(request, media, token, now, attached=True)
    file = await visible_file(uow, grant.media_id, grant.viewer, grant.epoch, preferred_name(name, request))
    return await send_shown_file(media, grant.media_id, file, now, range, if_range, if_none_match)


@content.get("/public-media/{media_id}/{epoch}/{name}", response_class=Response, responses=CONTENT_RESPONSES)
@raises(NoSuchMedia, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_public_file(
    media_id: Annotated[UUID, Path(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])],
    epoch: Annotated[int, Path(ge=0, lt=2**31, description="From the medium's path.", examples=[0])],
    name: Name,
    request: Request,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of a medium of a public post. What is at an address never changes; it is gone when the post is, or is
    no longer public, and caches ask again within an hour."""
    await limit_files(request)
    file = await public_file(uow, media_id, epoch, preferred_name(name, request))
    response = await send_shown_file(media, media_id, file, now, range, if_range, if_none_match)
    response.headers["Cache-Control"] = public_cache_control(media)
    return response
