"""Transcoding in chunks, beside one run of ffmpeg that makes the same rungs.

The source is like a clip of a phone: 1080p at 30 frames a second with film grain, H.264 at about 16 Mbit/s. Jobs run
in this machine's own processes, as many at once as there are CPUs: what is measured is ffmpeg and how the work is cut,
not Ray. CPU is that of all processes that were started, pictures aside, which the one run does not make.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    from features.videos.jobs import JobResult, Upload
    from features.videos.local_jobs import LocalJobs
    from features.videos.plan import Plan

_CPU, _FIRST = "content.transcode_cpu", "content.first_rung_s"
FIGURES = (_CPU, _FIRST)
FIGURE_TIMEOUT_S = sized(1800.0, 200.0)

SECONDS = sized(60, 2)
WIDTH, HEIGHT = sized(1920, 320), sized(1080, 180)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Both figures, of the same clip."""
    with tempfile.TemporaryDirectory(prefix="entativa-bench-") as folder:
        clip = _clip(Path(folder))
        if wanted(_FIRST):
            yield asyncio.run(_first_rung(clip, Path(folder) / "first"))
        if wanted(_CPU):
            yield asyncio.run(_cpu(clip, Path(folder) / "cpu"))


def _clip(folder: Path) -> Path:
    path = folder / "clip.mp4"
    picture = f"testsrc2=size={WIDTH}x{HEIGHT}:rate=30,noise=alls=8:allf=t"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=440"]
    encoder = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-b:v",
        "16M",
        "-g",
        "30",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
    ]
    subprocess.run([*command, "-t", str(SECONDS), *encoder, str(path)], check=True)
    return path


async def _stored(clip: Path, folder: Path) -> tuple[LocalJobs, Upload]:
    """The clip in a storage of its own, and what runs jobs."""
    from obstore.store import LocalStore

    from cluster.objects import ObjectStorage
    from features.media.model import object_key
    from features.videos.jobs import Upload
    from features.videos.local_jobs import LocalJobs
    from features.videos.source_files import SourceFiles

    objects = ObjectStorage(lambda: LocalStore(folder / "objects", mkdir=True))
    data = clip.read_bytes()
    digest = sha256(data).digest()
    await objects.put(object_key(digest), data)
    return LocalJobs(objects, SourceFiles(folder / "sources", objects)), Upload(UUID(int=1), digest, len(data))


async def _planned(jobs: LocalJobs, upload: Upload) -> Plan:
    from features.videos.jobs import Probe
    from features.videos.plan import Plan
    from features.videos.policy import VideoPolicy

    policy = VideoPolicy()
    source = (await jobs.run(Probe(upload, policy))).source
    assert source is not None
    return Plan.of(upload, source, policy)


async def _first_rung(clip: Path, folder: Path) -> Figure:
    """From a stored clip until its first rung can be played, while the jobs of the others wait. The baseline is what
    ffmpeg alone takes for the same rung and audio, with as many threads as it wants."""
    from features.videos import commands
    from features.videos.model import Chunk
    from features.videos.processes import run_limited

    jobs, upload = await _stored(clip, folder)
    begun = time.perf_counter()
    plan = await _planned(jobs, upload)
    results: dict[int, JobResult] = {}
    running = {asyncio.create_task(jobs.run(job)): number for number, job in enumerate(plan.jobs)}
    while not plan.complete_rungs(results):
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        results |= {running.pop(task): task.result() for task in done}
    seconds = time.perf_counter() - begun
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    outputs = [(plan.rungs[0], folder / "bare.mp4")]
    whole = Chunk(0, plan.timeline.frames)
    bare = (
        commands.encode_chunk(clip, plan.source, plan.timeline, whole, outputs),
        commands.encode_audio(clip, plan.source, plan.policy, folder / "bare-audio.mp4"),
    )
    begun = time.perf_counter()
    await asyncio.gather(*(run_limited(_on_all_cpus(command), plan.policy) for command in bare))
    alone = time.perf_counter() - begun
    extra = {"clip_s": SECONDS, "cpus": os.cpu_count(), "rungs": len(plan.rungs)}
    return Figure(_FIRST, seconds, "s", baseline="ffmpeg alone, the same rung", baseline_value=alone, extra=extra)


def _on_all_cpus(command: list[str]) -> list[str]:
    """Returns a command of ffmpeg without its limits of threads."""
    limits = ("-threads", "-filter_complex_threads")
    return ["0" if before in limits else each for before, each in pairwise(["", *command])]


async def _cpu(clip: Path, folder: Path) -> Figure:
    from features.videos import commands
    from features.videos.jobs import DrawPoster, DrawStoryboard
    from features.videos.model import Chunk
    from features.videos.processes import run_limited

    jobs, upload = await _stored(clip, folder)
    plan = await _planned(jobs, upload)
    before = _cpu_s()
    encoding = [job for job in plan.jobs if not isinstance(job, DrawPoster | DrawStoryboard)]
    await asyncio.gather(*(jobs.run(job) for job in encoding))
    chunked = _cpu_s() - before

    outputs = [(rung, folder / f"{rung.name}.mp4") for rung in plan.rungs]
    whole = Chunk(0, plan.timeline.frames)
    before = _cpu_s()
    for command in (
        commands.encode_chunk(clip, plan.source, plan.timeline, whole, outputs),
        commands.encode_audio(clip, plan.source, plan.policy, folder / "audio.mp4"),
    ):
        await run_limited(command, plan.policy)
    once = _cpu_s() - before
    extra = {"clip_s": SECONDS, "rungs": len(plan.rungs), "chunks": len(plan.timeline.chunks())}
    return Figure(_CPU, chunked, "s", baseline="one run of ffmpeg", baseline_value=once, extra=extra)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
