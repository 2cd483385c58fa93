"""What has to be done to make a stream of a file, in which order, and what a stream consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.videos.jobs import (
    DrawPoster,
    DrawStoryboard,
    EncodeAudio,
    EncodeChunk,
    Job,
    JobResult,
    Upload,
    keys_of,
)
from features.videos.ladder import ladder
from features.videos.model import Rung, Source, StreamObject
from features.videos.playlists import (
    Audio,
    Part,
    Rendition,
    average_rate,
    key_frame_playlist,
    key_frames,
    media_playlist,
    peak_rate,
    segments,
)
from features.videos.policy import VideoPolicy
from features.videos.storyboard import Storyboard
from features.videos.timeline import Timeline

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
AUDIO_FILE = "audio.mp4"
STORYBOARD = "storyboard.vtt"

_SMALL_JOB = 1_000_000
"""The weight of jobs that are not encodings of video, in pixels."""


@dataclass(frozen=True, slots=True)
class Published:
    """Files of a stream: objects, and texts (name, media type, content)."""

    objects: tuple[StreamObject, ...] = ()
    texts: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs of a video in the order in which they begin, and the rungs that they encode.

    First comes what the smallest rung needs, so that the video can be played soon. The other rungs of a chunk are one
    job, which decodes it once."""

    policy: VideoPolicy
    source: Source
    timeline: Timeline
    rungs: tuple[Rung, ...]
    storyboard: Storyboard
    jobs: tuple[Job, ...]

    @classmethod
    def of(cls, upload: Upload, source: Source, policy: VideoPolicy) -> Plan:
        """Returns the plan of a video."""
        timeline, rungs, storyboard = Timeline.of(source, policy), ladder(source, policy), Storyboard.of(source, policy)
        chunks = timeline.chunks()
        jobs: list[Job] = []
        if source.audio_stream is not None:
            jobs.append(EncodeAudio(upload, policy, source))
        jobs.append(DrawPoster(upload, policy, source, rungs[min(1, len(rungs) - 1)]))
        jobs += [EncodeChunk(upload, policy, source, timeline, chunk, rungs[:1], hashed=True) for chunk in chunks]
        jobs.append(DrawStoryboard(upload, policy, source, storyboard))
        if rungs[1:]:
            jobs += [EncodeChunk(upload, policy, source, timeline, chunk, rungs[1:]) for chunk in chunks]
        return cls(policy, source, timeline, rungs, storyboard, tuple(jobs))

    def keys(self) -> list[str]:
        """Returns the keys of everything that will be stored."""
        return [key for job in self.jobs for key in keys_of(job)]

    def percent(self, results: Mapping[int, JobResult]) -> int:
        """Returns how much of the work is done. `results` are by the jobs' positions in the plan, here and below."""
        weights = [_weight(job) for job in self.jobs]
        return 100 * sum(weights[number] for number in results) // sum(weights)

    def complete_rungs(self, results: Mapping[int, JobResult]) -> list[Rung]:
        """Returns the rungs that can be played, from the smallest on: none without audio and poster."""
        found = []
        for rung in self.rungs:
            needed = [
                number
                for number, job in enumerate(self.jobs)
                if isinstance(job, EncodeAudio | DrawPoster) or (isinstance(job, EncodeChunk) and rung in job.rungs)
            ]
            if not all(number in results for number in needed):
                break
            found.append(rung)
        return found

    def rung(self, rung: Rung, results: Mapping[int, JobResult]) -> tuple[Rendition, Published]:
        """Returns a complete rung: what the master playlist says of it, and its files."""
        objects, parts = list[StreamObject](), list[Part]()
        for number, job in enumerate(self.jobs):
            if isinstance(job, EncodeChunk) and rung in job.rungs:
                file = results[number].files[job.rungs.index(rung)]
                assert file.media is not None
                name = f"{rung.name}-{len(parts)}.mp4"
                objects.append(StreamObject(file.key, name, "video/mp4", file.size))
                parts.append(Part(name, file.media))
        found = segments(parts, self.policy.gops_per_segment)
        rendition = Rendition(
            name=rung.name,
            width=rung.width,
            height=rung.height,
            frame_rate=self.timeline.frame_rate,
            codec=parts[0].file.codec,
            peak_rate=peak_rate(found),
            average_rate=average_rate(found),
            key_frame_rate=peak_rate(key_frames(parts)),
        )
        texts = (
            (f"{rung.name}.m3u8", PLAYLIST_TYPE, media_playlist(parts, found)),
            (f"{rung.name}-iframes.m3u8", PLAYLIST_TYPE, key_frame_playlist(parts)),
        )
        return rendition, Published(tuple(objects), texts)

    def audio(self, results: Mapping[int, JobResult]) -> tuple[Audio | None, Published]:
        """Returns the audio, if there is any and it is complete: what the master playlist says of it, and its files."""
        for number, result in results.items():
            if isinstance(self.jobs[number], EncodeAudio):
                (file,) = result.files
                assert file.media is not None
                parts = [Part(AUDIO_FILE, file.media)]
                found = segments(parts, 1)
                text = ("audio.m3u8", PLAYLIST_TYPE, media_playlist(parts, found))
                audio = Audio(file.media.codec, peak_rate(found), average_rate(found))
                return audio, Published((StreamObject(file.key, AUDIO_FILE, "audio/mp4", file.size),), (text,))
        return None, Published()

    def poster(self, results: Mapping[int, JobResult]) -> tuple[str | None, Published]:
        """Returns the blurhash of the poster and the poster itself, if it is drawn."""
        for number, result in results.items():
            if isinstance(self.jobs[number], DrawPoster):
                (file,) = result.files
                return file.blurhash, Published((StreamObject(file.key, "poster.jpg", "image/jpeg", file.size),))
        return None, Published()

    def drawn_storyboard(self, results: Mapping[int, JobResult]) -> Published:
        """Returns the storyboard, if it is drawn."""
        for number, result in results.items():
            if isinstance(self.jobs[number], DrawStoryboard):
                (file,) = result.files
                times = self.storyboard.webvtt(self.source.duration, "storyboard.jpg")
                image = StreamObject(file.key, "storyboard.jpg", "image/jpeg", file.size)
                return Published((image,), ((STORYBOARD, "text/vtt", times),))
        return Published()


def _weight(job: Job) -> int:
    if isinstance(job, EncodeChunk):
        return job.chunk.frames * sum(rung.width * rung.height for rung in job.rungs)
    return _SMALL_JOB


def merged(parts: Sequence[Published]) -> Published:
    """Returns several files of a stream as one."""
    return Published(
        tuple(each for part in parts for each in part.objects), tuple(each for part in parts for each in part.texts)
    )
