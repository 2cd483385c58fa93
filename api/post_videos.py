"""Streams of the videos of posts over HTTP. Playlists name their files relative to themselves, so that these have the
same address."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.byte_range import RANGE_NOT_SATISFIABLE
from api.content import IfNoneMatch, IfRange, Range
from api.deps import Now, Uow, limit_files
from api.error_codes import TooManyRequests, raises
from api.media import Service, grant_of, public_cache_control
from api.routes import VERSION
from api.transaction import TransactionRoute
from api.videos import FILE_RESPONSES, Videos, send_stream_file
from features.media.errors import NoSuchMedia
from features.posts.attachments import require_public, require_visible
from features.videos.errors import NoSuchFile

router = APIRouter(prefix=VERSION, tags=["posts"], route_class=TransactionRoute)

Name = Annotated[
    str,
    Path(
        max_length=100,
        description="`master.m3u8` for players, `poster.jpg`, `storyboard.vtt`, or what a playlist names.",
        examples=["master.m3u8"],
    ),
]


@router.get("/post-media/{token}/stream/{name}", response_class=Response, responses=FILE_RESPONSES)
@raises(NoSuchMedia, NoSuchFile, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_post_stream_file(
    token: Annotated[str, Path(max_length=200, examples=["AgGX8cBdHHwem"])],
    name: Name,
    request: Request,
    videos: Videos,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of the stream of a post's video by an address, without an access token."""
    grant = await grant_of(request, media, token, now, attached=True)
    await require_visible(uow, grant.media_id, grant.viewer, grant.epoch)
    file = await videos.file(uow, grant.media_id, name)
    return await send_stream_file(videos, file, range, if_range, if_none_match)


@router.get("/public-media/{media_id}/{epoch}/stream/{name}", response_class=Response, responses=FILE_RESPONSES)
@raises(NoSuchMedia, NoSuchFile, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_public_stream_file(
    media_id: Annotated[UUID, Path(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])],
    epoch: Annotated[int, Path(ge=0, lt=2**31, description="From the medium's path.", examples=[0])],
    name: Name,
    request: Request,
    videos: Videos,
    media: Service,
    uow: Uow,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of the stream of a public post's video. Caches ask again for the playlist of qualities and for
    captions, to which some may be added; what is at another address never changes."""
    await limit_files(request)
    await require_public(uow, media_id, epoch)
    file = await videos.file(uow, media_id, name)
    response = await send_stream_file(videos, file, range, if_range, if_none_match)
    response.headers["Cache-Control"] = public_cache_control(media) if file.final else "public, no-cache"
    return response
