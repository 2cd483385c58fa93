"""The service of videos: what became of an upload, the files that players read, and captions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.media.errors import MediaFailed, StillProcessing
from features.media.model import ImageFailure, Media, MediaState
from features.media.service import MediaService
from features.text import clean_line
from features.videos import store
from features.videos.commands import TIMESTAMP_OFFSET
from features.videos.errors import BadCaptions, BadLanguage, NoSuchCaptions, NoSuchFile, NotAVideo, TooManyCaptions
from features.videos.model import Captions, CaptionsOrigin, StreamFile, Video, VideoProblem, VideoState
from features.videos.plan import PLAYLIST_TYPE
from features.videos.playlists import captions_playlist, master_playlist
from features.videos.policy import VideoPolicy
from features.videos.webvtt import BadWebVTT, Cue, parse, render

MASTER = "master.m3u8"
CAPTIONS_TYPE = "text/vtt"

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?")
_UNKNOWN_LANGUAGE = "und"
MAX_LABEL = 60
_CAPTIONS_FILE = re.compile(rf"captions-({_LANGUAGE.pattern})\.(m3u8|vtt)")
# Cues count from the beginning of the video, time stamps of the stream from a little earlier; in ticks of 90 kHz.
_TIMESTAMP_MAP = f"X-TIMESTAMP-MAP=MPEGTS:{90_000 * TIMESTAMP_OFFSET},LOCAL:00:00:00.000"


@dataclass(frozen=True, slots=True)
class VideoService:
    policy: VideoPolicy
    media: MediaService

    async def get(self, uow: UnitOfWork, account_id: UUID, media_id: UUID) -> tuple[Media, Video, list[Captions]]:
        """Returns a medium of an account, what became of it, and its captions. Raises NoSuchMedia, NotAVideo."""
        medium = await self.media.get(uow, account_id, media_id)
        if medium.media_type.is_image:
            raise NotAVideo
        video = await store.find(uow, media_id)
        if video is None:  # nobody has begun yet
            return medium, _waiting(medium), []
        if medium.failure is ImageFailure.NOT_ALLOWED and video.state is VideoState.FAILED:
            video = replace(video, problem=VideoProblem.NOT_ALLOWED)
        return medium, video, await store.captions(uow, media_id)

    async def of_media(self, uow: UnitOfWork, media_ids: Sequence[UUID]) -> dict[UUID, Video]:
        """Returns what became of media that somebody wants to show, without those with which nobody has begun. It does
        not change until the unit of work ends, so that whoever follows the events of videos misses no change."""
        return {video.id: video for video in await store.of_media(uow, media_ids)}

    async def file(self, uow: UnitOfWork, video_id: UUID, name: str) -> StreamFile:
        """Returns a file of a stream. Whether the caller may read the medium has been decided. Raises NoSuchFile."""
        if name == MASTER:
            return await self._master(uow, video_id)
        if (captions := _CAPTIONS_FILE.fullmatch(name)) is not None:
            return await self._captions(uow, video_id, captions[1], playlist=captions[2] == "m3u8")
        found = await store.find_file(uow, video_id, name)
        if found is None:
            raise NoSuchFile
        return found

    async def _master(self, uow: UnitOfWork, video_id: UUID) -> StreamFile:
        streams = await store.streams(uow, video_id)
        if not streams.renditions:
            raise NoSuchFile
        captions = [(one.language, one.label) for one in await store.captions(uow, video_id)]
        return _changing(PLAYLIST_TYPE, master_playlist(streams.renditions, streams.audio, captions))

    async def _captions(self, uow: UnitOfWork, video_id: UUID, language: str, *, playlist: bool) -> StreamFile:
        content = await store.captions_text(uow, video_id, language)
        if content is None:
            raise NoSuchFile
        if not playlist:
            return _changing(CAPTIONS_TYPE, content)
        video = await store.find(uow, video_id)
        if video is None or video.duration_ms is None:
            raise NoSuchFile
        return _changing(
            PLAYLIST_TYPE, captions_playlist(f"captions-{language}.vtt", Fraction(video.duration_ms, 1000))
        )

    async def read(self, file: StreamFile, start: int, end: int) -> AsyncIterator[bytes]:
        """Yields a file from `start` to before `end`."""
        if file.key is None:
            yield file.content[start:end]
            return
        async for chunk in self.media.read_object(file.key, start, end):
            yield chunk

    async def put_captions(
        self, uow: UnitOfWork, account_id: UUID, media_id: UUID, language: str, label: str, webvtt: str, now: datetime
    ) -> Captions:
        """Stores captions of a video of an account, in place of those in the same language. Raises NoSuchMedia,
        NotAVideo, StillProcessing, MediaFailed, BadLanguage, BadCaptions, TooManyCaptions, and Invalid as `clean_line`
        does."""
        if _LANGUAGE.fullmatch(language) is None:
            raise BadLanguage
        label = clean_line(label, field="label", max_characters=MAX_LABEL)
        try:
            cues = parse(webvtt, self.policy.max_caption_cues)
        except BadWebVTT as error:
            raise BadCaptions(f"Not WebVTT: {error}.") from error
        medium = await self.media.get(uow, account_id, media_id)
        if medium.media_type.is_image:
            raise NotAVideo
        if medium.failure is not None:
            raise MediaFailed("The video cannot be played.")
        if medium.state is not MediaState.READY:
            raise StillProcessing
        await store.begin(uow, media_id, account_id, now)  # locked: of several requests each counts those before
        captions = Captions(language, label, CaptionsOrigin.UPLOADED)
        await self._put(uow, media_id, captions, cues, now)
        return captions

    async def add_transcript(self, uow: UnitOfWork, video_id: UUID, language: str, webvtt: str, now: datetime) -> bool:
        """Stores captions that were made of the audio, unless the video has some by now, or is gone. Returns whether
        they were stored. Raises BadWebVTT."""
        cues = parse(webvtt, self.policy.max_caption_cues)
        if await store.find(uow, video_id, lock=True) is None or await store.captions(uow, video_id):
            return False
        if _LANGUAGE.fullmatch(language) is None:
            language = _UNKNOWN_LANGUAGE
        captions = Captions(language, f"{language} (automatic)", CaptionsOrigin.TRANSCRIBED)
        await store.put_captions(uow, video_id, captions, render(cues, _TIMESTAMP_MAP), now)
        return True

    async def _put(self, uow: UnitOfWork, video_id: UUID, captions: Captions, cues: list[Cue], now: datetime) -> None:
        others = [one for one in await store.captions(uow, video_id) if one.language != captions.language]
        if len(others) >= self.policy.max_captions:
            raise TooManyCaptions(f"A video has captions in at most {self.policy.max_captions} languages.")
        await store.put_captions(uow, video_id, captions, render(cues, _TIMESTAMP_MAP), now)

    async def delete_captions(self, uow: UnitOfWork, account_id: UUID, media_id: UUID, language: str) -> None:
        """Deletes captions of a video of an account. Raises NoSuchMedia, NoSuchCaptions."""
        await self.media.get(uow, account_id, media_id)
        if not await store.delete_captions(uow, media_id, language):
            raise NoSuchCaptions


def _waiting(medium: Media) -> Video:
    return Video(
        id=medium.id,
        account_id=medium.account_id,
        state=VideoState.PROCESSING,
        problem=None,
        percent=0,
        attempts=0,
        width=None,
        height=None,
        duration_ms=None,
        blurhash=None,
        has_storyboard=False,
        created_at=medium.created_at,
    )


def _changing(media_type: str, content: str) -> StreamFile:
    """Returns a text to which qualities or captions are added, or which is replaced."""
    encoded = content.encode()
    return StreamFile(media_type, len(encoded), None, encoded, final=False)
