"""The jobs that make a stream of a file, and where they store what they make.

A job is a value: all that a worker needs. The keys of its results are hashes of it, so that a job that is run again,
by whomever, finds what an earlier run has stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from features.media.pdq import PictureHash
from features.ports import Port
from features.videos.fragments import FragmentedFile
from features.videos.model import Chunk, Rung, Source
from features.videos.policy import VideoPolicy
from features.videos.storyboard import Storyboard
from features.videos.timeline import Timeline

_FORMAT = 2
"""Goes into every key: another number where the same job would make something else."""


HASHES = "hashes"
"""The last part of a chunk whose key frames are hashed."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The file that is transcoded. `digest` is its SHA-256, which names the stored object."""

    media_id: UUID
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Finds out what the file is."""

    upload: Upload
    policy: VideoPolicy

    @property
    def parts(self) -> tuple[object, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class EncodeChunk:
    """Encodes a chunk at some rungs: a file for each, and one with hashes."""

    upload: Upload
    policy: VideoPolicy
    source: Source
    timeline: Timeline
    chunk: Chunk
    rungs: tuple[Rung, ...]
    hashed: bool = False
    """Whether the chunk's key frames are hashed (features/media/pdq.py): once a chunk."""

    @property
    def parts(self) -> tuple[object, ...]:
        return (*self.rungs, HASHES) if self.hashed else self.rungs


@dataclass(frozen=True, slots=True)
class EncodeAudio:
    """Encodes all of the audio."""

    upload: Upload
    policy: VideoPolicy
    source: Source

    @property
    def parts(self) -> tuple[object, ...]:
        return ("audio",)


@dataclass(frozen=True, slots=True)
class DrawPoster:
    """Draws the poster."""

    upload: Upload
    policy: VideoPolicy
    source: Source
    size: Rung

    @property
    def parts(self) -> tuple[object, ...]:
        return ("poster",)


@dataclass(frozen=True, slots=True)
class DrawStoryboard:
    """Draws the storyboard."""

    upload: Upload
    policy: VideoPolicy
    source: Source
    storyboard: Storyboard

    @property
    def parts(self) -> tuple[object, ...]:
        return ("storyboard",)


Job = Probe | EncodeChunk | EncodeAudio | DrawPoster | DrawStoryboard


def keys_of(job: Job) -> tuple[str, ...]:
    """Returns the storage keys of what a job makes. They are its medium's own: if equal files of two accounts shared
    them, the time that transcoding takes would tell one that the other has the file."""
    return tuple(f"videos/{job.upload.media_id}/{_hash(job, part)}" for part in job.parts)


def _hash(job: Job, part: object) -> str:
    # Of a chunk each rung is a result of its own, whichever others are encoded along with it.
    inputs: Sequence[object] = (
        (job.source, job.timeline, job.chunk)
        if isinstance(job, EncodeChunk)
        else tuple(getattr(job, name) for name in job.__slots__ if name not in ("upload", "policy"))
    )
    described = repr((_FORMAT, type(job).__name__, job.upload.digest, part, inputs))
    return sha256(described.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file that a job has stored. `media` is None for pictures, `blurhash` for all but the poster. `hashes` are those
    of pictures in it."""

    key: str
    size: int
    media: FragmentedFile | None = None
    blurhash: str | None = None
    hashes: tuple[PictureHash, ...] = ()


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job found out or stored; files in the order of the job's keys."""

    source: Source | None = None
    files: tuple[JobFile, ...] = ()

    @property
    def hashes(self) -> list[PictureHash]:
        """Those of all pictures in the files."""
        return [each for file in self.files for each in file.hashes]


class JobLost(Exception):
    """A job ended without a result, through no fault of the file: its worker was killed, or out of memory. It can be
    run again."""


class Jobs(Protocol):
    """Runs jobs, each of which takes one CPU, with as many at once as there are CPUs."""

    async def run(self, job: Job) -> JobResult:
        """Returns the result of a job. To cancel the call ends the job. Raises Unplayable, JobLost and
        ObjectStorageUnavailable."""


JOBS: Port[Jobs] = Port("video jobs")
