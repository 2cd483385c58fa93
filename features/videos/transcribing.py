"""Captions that a transcriber makes of a video's audio, where the operator has one.

What the owner uploads comes first: a video that has captions is not transcribed, and captions in the same language
replace transcribed ones. Timings are those of the stream's audio, which begins with the first frame.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from cluster.events.consumer import Consumer, Unavailable
from cluster.logs import logger
from cluster.objects import NoSuchObject, ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.events import consumer, publish
from features.media.service import MediaService
from features.videos import metrics, store
from features.videos.events import CaptionsMissing, Ready, VideoEvent
from features.videos.plan import AUDIO_FILE
from features.videos.service import VideoService
from features.videos.webvtt import BadWebVTT

log = logger(__name__)

_MAX_ATTEMPTS = 4
_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=15)
"""Each attempt sends the whole audio. A transcriber that restarts behind a proxy (502) is back before the last one."""


class TranscriberUnavailable(Unavailable):
    """The transcriber cannot be reached or has no time: it is asked again later."""


class Untranscribable(Exception):
    """The transcriber refuses the audio: it is not asked again."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said. `language` is a language tag (BCP 47)."""

    language: str
    webvtt: str


class Transcriber(Protocol):
    """Turns speech into text."""

    async def transcribe(self, audio: AsyncIterator[bytes], size: int) -> Transcript | None:
        """Returns what is said in audio (fragmented MP4 with AAC, of this many bytes); None for nothing. Raises
        TranscriberUnavailable, Untranscribable, and what `audio` raises. Whatever else it raises is a failed attempt,
        of which there are a few."""


async def request_transcripts(uow: UnitOfWork, after: UUID, now: datetime, *, at_once: int = 500) -> tuple[UUID, int]:
    """Has some ready videos transcribed that have audio and no captions: those with the lowest ids above `after`.
    Returns the last of them, and how many; 0: there are no more."""
    found = await store.without_captions(uow, after, at_once)
    for video in found:
        publish(uow, CaptionsMissing(video["id"], video["account_id"]), now)
    return (found[-1]["id"] if found else after), len(found)


@dataclass(frozen=True, slots=True)
class Transcribing:
    """Has streams transcribed once they are ready."""

    brand: str
    videos: VideoService
    media: MediaService
    transcriber: Transcriber
    now: Callable[[], datetime]

    def consumers(self) -> list[Consumer]:
        """The consumers of transcripts."""
        return [
            consumer(
                "videos.transcribing",
                (Ready, CaptionsMissing),
                self.transcribe,
                outside=True,
                concurrency=2,
                outages=(ObjectStorageUnavailable, TranscriberUnavailable),
                max_attempts=_MAX_ATTEMPTS,
                retry_after=_PAUSE,
                retry_at_most=_LONGEST_PAUSE,
                outage_at_most=_LONGEST_PAUSE,
            )
        ]

    async def transcribe(self, uow: UnitOfWork, event: VideoEvent) -> None:
        """Adds captions to a video that has none. Raises TranscriberUnavailable and ObjectStorageUnavailable: then it
        is to be called again."""
        audio = await store.find_file(uow, event.media_id, AUDIO_FILE)
        if audio is None or audio.key is None or await store.captions(uow, event.media_id):
            return
        await uow.commit()  # the connection is free while somebody listens
        outcome = "silent"
        try:
            transcript = await self.transcriber.transcribe(self.media.objects.read(audio.key), audio.size)
            if transcript is not None:
                added = await self.videos.add_transcript(
                    uow, event.media_id, transcript.language, transcript.webvtt, self.now()
                )
                outcome = "captions" if added else "late"
        except NoSuchObject:  # the medium was deleted
            outcome = "late"
        except (Untranscribable, BadWebVTT) as error:
            outcome = "refused"
            log.warning("video not transcribed", error=type(error).__name__, reason=str(error))
        metrics.TRANSCRIPTS.labels(self.brand, outcome).inc()
