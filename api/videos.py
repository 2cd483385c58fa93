"""Videos over HTTP: what became of an upload, its stream (HLS), and captions."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.byte_range import RANGE_NOT_SATISFIABLE
from api.conditional import ConditionalRoute
from api.content import IfNoneMatch, IfRange, Range, respond_with_content
from api.deps import Now, SignedIn, Uow, service
from api.error_codes import TooManyRequests, raises
from api.media import AddressModel, grant_of
from api.models import Body
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from features.media.errors import MediaFailed, NoSuchMedia, StillProcessing
from features.media.model import ORIGINAL, Media
from features.media.service import MediaService
from features.text_errors import TEXT_ERRORS
from features.videos.errors import BadCaptions, BadLanguage, NoSuchCaptions, NoSuchFile, NotAVideo, TooManyCaptions
from features.videos.model import Captions, CaptionsOrigin, StreamFile, Video, VideoProblem, VideoState
from features.videos.plan import STORYBOARD
from features.videos.service import MASTER, MAX_LABEL, VideoService

router = APIRouter(prefix=VERSION, tags=["videos"], route_class=ConditionalRoute)
files = APIRouter(prefix=VERSION, tags=["videos"], route_class=TransactionRoute)

ROUTES = Routes((router, files))

Videos = Annotated[VideoService, service(VideoService)]
MediaFiles = Annotated[MediaService, service(MediaService)]

_MAX_WEBVTT = 500_000
_MAX_LANGUAGE = 12
_MAX_CAPTIONS = 100
"""More than any brand allows."""
Language = Annotated[str, Path(max_length=_MAX_LANGUAGE, description="A language tag (BCP 47).", examples=["pt-BR"])]


class CaptionsModel(BaseModel):
    language: str = Field(max_length=_MAX_LANGUAGE, description="A language tag (BCP 47).", examples=["pt-BR"])
    label: str = Field(
        max_length=MAX_LABEL, description="What viewers see in a list of languages.", examples=["Português"]
    )
    origin: CaptionsOrigin = Field(examples=["uploaded"])


class CaptionsBody(Body):
    label: str = Field(
        min_length=1,
        max_length=MAX_LABEL,
        description="What viewers see in a list of languages.",
        examples=["Português"],
    )
    webvtt: str = Field(
        max_length=_MAX_WEBVTT,
        description="Styles, positions and comments are left out.",
        examples=["WEBVTT\n\n00:01.000 --> 00:02.500\nOlá!\n"],
    )


class VideoModel(BaseModel):
    """What became of an uploaded video. Each path is that of a file that is read without an access token, like the
    medium's own address; all expire at the same time, and end with `DELETE /media/{media_id}/addresses`."""

    media_id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    state: VideoState = Field(
        description="`playable`: there is a stream, and more qualities will be added to it.", examples=["ready"]
    )
    problem: VideoProblem | None = Field(description="Why a failed video cannot be played.", examples=[None])
    percent: int = Field(ge=0, le=100, description="How much of the work is done.", examples=[100])
    width: int | None = Field(ge=1, description="As it is shown; null until it is known.", examples=[1920])
    height: int | None = Field(ge=1, examples=[1080])
    duration_ms: int | None = Field(ge=0, examples=[61400])
    stream: AddressModel | None = Field(description="An HLS playlist, for players. Null while there is no stream.")
    poster: AddressModel | None = Field(description="A picture (JPEG). Null while there is no stream.")
    storyboard: AddressModel | None = Field(
        description="Small pictures by time (WebVTT), for seeking. Null until the video is ready, and if none was made."
    )
    captions: list[CaptionsModel] = Field(max_length=_MAX_CAPTIONS)


@router.get("/media/{media_id}/video")
@raises(NoSuchMedia, NotAVideo)
async def get_video(
    media_id: UUID, request: Request, identity: SignedIn, videos: Videos, media: MediaFiles, uow: Uow, now: Now
) -> VideoModel:
    """Read what became of a video that you have uploaded."""
    medium, video, captions = await videos.get(uow, identity.account_id, media_id)
    return _render(request, media, medium, video, captions, now)


@router.put("/media/{media_id}/captions/{language}")
@raises(*TEXT_ERRORS, NoSuchMedia, StillProcessing, MediaFailed, NotAVideo, BadLanguage, BadCaptions, TooManyCaptions)
async def put_captions(
    media_id: UUID, language: Language, body: CaptionsBody, identity: SignedIn, videos: Videos, uow: Uow, now: Now
) -> CaptionsModel:
    """Add captions to a video that you have uploaded, or replace those in the same language."""
    captions = await videos.put_captions(uow, identity.account_id, media_id, language, body.label, body.webvtt, now)
    return _render_captions(captions)


@router.delete("/media/{media_id}/captions/{language}", status_code=204)
@raises(NoSuchMedia, NoSuchCaptions)
async def delete_captions(media_id: UUID, language: Language, identity: SignedIn, videos: Videos, uow: Uow) -> None:
    """Delete captions of a video that you have uploaded."""
    await videos.delete_captions(uow, identity.account_id, media_id, language)


_TYPES = ("application/vnd.apple.mpegurl", "video/mp4", "audio/mp4", "image/jpeg", "text/vtt")
_BINARY = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in _TYPES}
FILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of the file", "content": _BINARY},
    206: {"description": "The range that was asked for", "content": _BINARY},
    304: {"description": "The client has the file"},
}


@files.get("/media-files/{token}/stream/{name}", response_class=Response, responses=FILE_RESPONSES)
@raises(NoSuchMedia, NoSuchFile, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_stream_file(
    token: Annotated[str, Path(max_length=200, examples=["AQGX8cBdHHwem"])],
    name: Annotated[str, Path(max_length=100, examples=["360p.m3u8"])],
    request: Request,
    videos: Videos,
    media: MediaFiles,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of a video's stream by an address, without an access token."""
    grant = await grant_of(request, media, token, now)
    await media.get_granted(uow, grant, ORIGINAL)
    file = await videos.file(uow, grant.media_id, name)
    return await send_stream_file(videos, file, range, if_range, if_none_match)


async def send_stream_file(
    videos: VideoService, file: StreamFile, range: str | None, if_range: str | None, if_none_match: str | None
) -> Response:
    """Returns a response with a file of a stream, or a range of it."""
    return await respond_with_content(
        lambda start, end: videos.read(file, start, end),
        file.media_type,
        file.size,
        file.tag,
        range,
        if_range,
        if_none_match,
    )


def _render(
    request: Request, media: MediaService, medium: Media, video: Video, captions: list[Captions], now: datetime
) -> VideoModel:
    address = media.address(medium, now)

    def file(name: str, *, exists: bool) -> AddressModel | None:
        if address is None or not exists:
            return None
        root = f"{request.scope.get('root_path', '')}{VERSION}/media-files"
        return AddressModel(path=f"{root}/{address.token}/stream/{name}", expires_at=address.expires_at)

    ready = video.state is VideoState.READY
    return VideoModel(
        media_id=medium.id,
        state=video.state,
        problem=video.problem,
        percent=video.percent,
        width=video.width,
        height=video.height,
        duration_ms=video.duration_ms,
        stream=file(MASTER, exists=video.can_be_played),
        poster=file("poster.jpg", exists=video.can_be_played),
        storyboard=file(STORYBOARD, exists=ready and video.has_storyboard),
        captions=[_render_captions(one) for one in captions],
    )


def _render_captions(captions: Captions) -> CaptionsModel:
    return CaptionsModel(language=captions.language, label=captions.label, origin=captions.origin)
