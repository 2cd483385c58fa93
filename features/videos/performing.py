"""Performs jobs: on this machine, in the process that calls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from cluster.objects import PART_BYTES, NoSuchObject, ObjectStorage
from features.media.model import object_key
from features.videos import commands
from features.videos.fragments import BadFile, parse_file
from features.videos.frame_hashes import hash_frames, read_hashes
from features.videos.jobs import (
    HASHES,
    DrawPoster,
    DrawStoryboard,
    EncodeAudio,
    EncodeChunk,
    Job,
    JobFile,
    JobResult,
    Probe,
    keys_of,
)
from features.videos.model import Source, Unplayable, VideoProblem
from features.videos.poster import BadPoster, blurhash_of, hashes_of, poster_time
from features.videos.probe import parse_source, video_stream
from features.videos.processes import run_limited
from features.videos.source_files import SourceFiles


async def perform(job: Job, objects: ObjectStorage, sources: SourceFiles) -> JobResult:
    """Returns the result of a job: what an earlier run has stored, or what it makes now. Raises Unplayable, JobLost and
    ObjectStorageUnavailable."""
    if (stored := await _stored(job, objects)) is not None:
        return JobResult(files=stored)
    try:
        async with sources.open(object_key(job.upload.digest), job.upload.size) as path:
            if isinstance(job, Probe):
                return JobResult(source=await _probe(job, path))
            with sources.workspace() as folder:
                outputs = [folder / str(number) for number in range(len(job.parts))]
                await _make(job, path, outputs)
                # All are read before any is stored: a job that fails leaves nothing.
                files = [
                    await asyncio.to_thread(_made, job, part, key, output)
                    for part, key, output in zip(job.parts, keys_of(job), outputs, strict=True)
                ]
                for file, output in zip(files, outputs, strict=True):
                    await _store(objects, file.key, output, file.size)
                return JobResult(files=tuple(files))
    except NoSuchObject:  # the medium was deleted
        raise Unplayable(VideoProblem.BROKEN) from None


async def _stored(job: Job, objects: ObjectStorage) -> tuple[JobFile, ...] | None:
    files = []
    for part, key in zip(job.parts, keys_of(job), strict=True):
        try:
            data = b"".join([chunk async for chunk in objects.read(key)])
        except NoSuchObject:
            return None
        files.append(await asyncio.to_thread(_described, job, part, key, data))
    return tuple(files) or None


async def _probe(job: Probe, path: Path) -> Source:
    streams = (await run_limited(commands.probe_streams(path), job.policy)).decode(errors="replace")
    stream = video_stream(streams)
    packets = (await run_limited(commands.probe_packets(path, stream), job.policy)).decode(errors="replace")
    return parse_source(streams, packets.splitlines(), job.policy)


async def _make(job: EncodeChunk | EncodeAudio | DrawPoster | DrawStoryboard, path: Path, outputs: list[Path]) -> None:
    policy, source = job.policy, job.source
    if isinstance(job, EncodeChunk):
        rungs, hashed = list(zip(job.rungs, outputs, strict=False)), outputs[-1] if job.hashed else None
        await run_limited(commands.encode_chunk(path, source, job.timeline, job.chunk, rungs, hashed), policy)
        if hashed is not None:
            await asyncio.to_thread(hash_frames, hashed)
    elif isinstance(job, EncodeAudio):
        await run_limited(commands.encode_audio(path, source, policy, outputs[0]), policy)
    elif isinstance(job, DrawPoster):
        await run_limited(commands.draw_poster(path, source, poster_time(source), job.size, outputs[0]), policy)
    else:
        await run_limited(commands.draw_storyboard(path, source, job.storyboard, outputs[0]), policy)


def _made(job: Job, part: object, key: str, output: Path) -> JobFile:
    """Returns an output that will be stored. Raises Unplayable if it is not what the job is to make."""
    try:
        file = _described(job, part, key, output.read_bytes())
    except (BadFile, BadPoster, FileNotFoundError):
        raise Unplayable(VideoProblem.BROKEN) from None
    if file.size == 0 or (isinstance(job, EncodeChunk) and file.media and file.media.samples != job.chunk.frames):
        raise Unplayable(VideoProblem.BROKEN)
    return file


def _described(job: Job, part: object, key: str, data: bytes) -> JobFile:
    """Returns a file with what is in it. Raises BadFile, BadPoster."""
    if isinstance(job, DrawPoster):
        return JobFile(key, len(data), blurhash=blurhash_of(data), hashes=hashes_of(data))
    if part == HASHES:
        return JobFile(key, len(data), hashes=read_hashes(data))
    return JobFile(key, len(data), None if isinstance(job, DrawStoryboard) else parse_file(data))


async def _store(objects: ObjectStorage, key: str, path: Path, size: int) -> None:
    if size <= PART_BYTES:
        await objects.put(key, await asyncio.to_thread(path.read_bytes))
    else:
        await objects.put_stream(key, _read(path))


async def _read(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, PART_BYTES):
            yield chunk
