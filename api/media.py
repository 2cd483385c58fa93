"""Media over HTTP. Uploads are in uploads.py."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import Response

from api import uploads
from api.byte_range import RANGE_NOT_SATISFIABLE
from api.conditional import ConditionalRoute
from api.content import IfNoneMatch, IfRange, Range, respond_with_content
from api.deps import Now, PageDep, SignedIn, Uow, limit_account, limit_address, limit_files, service
from api.error_codes import TooManyRequests, raises
from api.image_formats import NEGOTIATED, preferred_name
from api.models import PageModel, render_page
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from api.tus_protocol import PATH, TusMiddleware
from features.media.addresses import Grant
from features.media.errors import MediaAttached, MediaFailed, NoSuchMedia, StillProcessing
from features.media.model import Image, ImageFailure, Media, MediaState, MediaType, StoredFile
from features.media.service import MediaService

router = APIRouter(prefix=VERSION, tags=["media"], route_class=ConditionalRoute)
content = APIRouter(prefix=VERSION, tags=["media"], route_class=TransactionRoute)

ROUTES = Routes(
    (router, content, uploads.discovery, uploads.router, uploads.streaming),
    middleware=TusMiddleware,
    streamed=(PATH,),
)

Service = Annotated[MediaService, service(MediaService)]


class AddressModel(BaseModel):
    """Where you read the content without an access token: for elements of web pages, and players. Whoever has the
    address can use it, so do not show it to others; it ends with `DELETE /media/{media_id}/addresses`."""

    path: str = Field(
        max_length=200, description="Relative to the server.", examples=["/v1/media-files/AQGX8cBdHHwem/original"]
    )
    expires_at: datetime = Field(examples=["2026-01-02T04:00:00Z"])


class ImageModel(BaseModel):
    """What others see of an image: files of these widths, upright, in sRGB, without metadata. Each is there as
    `{width}.webp` and `{width}.jpg`, beside the `original` in an address."""

    width: int = Field(ge=1, description="Of the image as it is to be seen, in pixels.", examples=[4032])
    height: int = Field(ge=1, examples=[3024])
    blurhash: str = Field(
        max_length=100,
        description="A blurred preview (https://blurha.sh).",
        examples=["LEHV6nWB2yk8pyo0adR*.7kCMdnj"],
    )
    widths: list[int] = Field(
        max_length=20, description="Of the files, ascending, in pixels.", examples=[[320, 640, 1080, 2048]]
    )


class MediaModel(BaseModel):
    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    type: MediaType = Field(examples=["image/jpeg"])
    size: int = Field(ge=1, description="In bytes.", examples=[482133])
    state: MediaState = Field(
        description="`processing`: the upload is complete and the content not ready yet. `failed`: it cannot be shown. "
        "Nothing of it is kept, but for evidence of what is `not_allowed`.",
        examples=["ready"],
    )
    failure: ImageFailure | None = Field(
        description="Why it failed; of a video, `GET /media/{media_id}/video` says more. `not_allowed`: nobody may "
        "publish it here.",
        examples=[None],
    )
    image: ImageModel | None = Field(description="Null while it is processed, and for what is no image.")
    created_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])
    address: AddressModel | None = Field(description="Null unless it is ready.")


@router.get("/media")
async def list_media(
    request: Request, identity: SignedIn, media: Service, uow: Uow, now: Now, page: PageDep
) -> PageModel[MediaModel]:
    """List what you have uploaded, newest first."""
    return render_page(
        await media.list(uow, identity.account_id, page), lambda each: _render(request, media, each, now)
    )


@router.get("/media/{media_id}")
@raises(NoSuchMedia)
async def get_media(
    media_id: UUID, request: Request, identity: SignedIn, media: Service, uow: Uow, now: Now
) -> MediaModel:
    """Read what is known of something you have uploaded."""
    return _render(request, media, await media.get(uow, identity.account_id, media_id), now)


@router.delete("/media/{media_id}", status_code=204)
@raises(NoSuchMedia, MediaAttached)
async def delete_media(media_id: UUID, identity: SignedIn, media: Service, uow: Uow, now: Now) -> None:
    """Delete something you have uploaded."""
    await media.delete(uow, identity.account_id, media_id, now)


@router.delete("/media/{media_id}/addresses", status_code=204)
@raises(NoSuchMedia)
async def end_addresses(media_id: UUID, identity: SignedIn, media: Service, uow: Uow) -> None:
    """End all addresses of the content that you were given."""
    await media.end_addresses(uow, identity.account_id, media_id)


_BINARY = {media_type.value: {"schema": {"type": "string", "format": "binary"}} for media_type in MediaType}
CONTENT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of the content", "content": _BINARY},
    206: {"description": "The range that was asked for", "content": _BINARY},
    304: {"description": "The client has the content"},
}


@content.get("/media/{media_id}/content", response_class=Response, responses=CONTENT_RESPONSES)
@raises(NoSuchMedia, StillProcessing, MediaFailed, RANGE_NOT_SATISFIABLE)
async def get_content(
    media_id: UUID,
    identity: SignedIn,
    media: Service,
    uow: Uow,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read the content of something you have uploaded, as you uploaded it."""
    found = await media.get_original(uow, identity.account_id, media_id)
    return await send_file(media, found, range, if_range, if_none_match)


async def grant_of(
    request: Request, media: MediaService, token: str, now: datetime, *, attached: bool = False
) -> Grant:
    """Returns what an address grants. The request counts against the limit of the account that the address was made
    for, otherwise of the network address. Raises NoSuchMedia, TooManyRequests."""
    try:
        grant = media.open_token(token, now, attached=attached)
    except NoSuchMedia:
        await limit_address(request)
        raise
    await (limit_files(request) if grant.viewer is None else limit_account(request, grant.viewer))
    return grant


@content.get("/media-files/{token}/{name}", response_class=Response, responses=CONTENT_RESPONSES)
@raises(NoSuchMedia, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_file(
    token: Annotated[str, Path(max_length=200, examples=["AQGX8cBdHHwem"])],
    name: Annotated[
        str, Path(max_length=100, description="`original`, or a file that was made of it.", examples=["640.webp"])
    ],
    request: Request,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of a medium by an address, without an access token."""
    grant = await grant_of(request, media, token, now)
    found = await media.get_granted(uow, grant, preferred_name(name, request))
    return await send_file(media, found, range, if_range, if_none_match)


async def send_file(
    media: MediaService, found: StoredFile, range: str | None, if_range: str | None, if_none_match: str | None
) -> Response:
    """Returns a response with a file, or a range of it."""
    tag = f'"{found.digest.hex()[:24]}"'
    response = await respond_with_content(
        lambda start, end: media.read(found, start, end),
        found.content_type,
        found.size,
        tag,
        range,
        if_range,
        if_none_match,
    )
    if found.content_type in NEGOTIATED:
        response.headers["Vary"] = "Accept"
    return response


async def send_shown_file(
    media: MediaService,
    media_id: UUID,
    found: StoredFile,
    now: datetime,
    range: str | None,
    if_range: str | None,
    if_none_match: str | None,
) -> Response:
    """Returns a response with a file that others see, and counts the read: of an image that is read often, smaller
    files are made after the response."""
    response = await send_file(media, found, range, if_range, if_none_match)
    if media.is_often_read(media_id, found):
        response.background = BackgroundTask(media.make_smaller, media_id, now)
    return response


def public_cache_control(media: MediaService) -> str:
    """Returns how long anybody may keep a file that is public and never changes."""
    return f"public, max-age={int(media.policy.public_cache_age.total_seconds())}, immutable"


def _render(request: Request, service: MediaService, media: Media, now: datetime) -> MediaModel:
    address = service.address(media, now)
    root = f"{request.scope.get('root_path', '')}{VERSION}/media-files"
    return MediaModel(
        id=media.id,
        type=media.media_type,
        size=media.size,
        state=media.state,
        failure=media.failure,
        image=media.image and _render_image(media.image),
        created_at=media.created_at,
        address=address and AddressModel(path=f"{root}/{address.token}/original", expires_at=address.expires_at),
    )


def _render_image(image: Image) -> ImageModel:
    return ImageModel(width=image.width, height=image.height, blurhash=image.blurhash, widths=image.widths)
