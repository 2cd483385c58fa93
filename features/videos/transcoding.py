"""Makes streams of stored videos: has the jobs of each run, and publishes what is complete.

The handler may be interrupted anywhere and run again: what jobs have stored is found again by its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cluster.events.consumer import Consumer
from cluster.logs import logger
from cluster.objects import ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.errors import Unavailable
from features.events import consumer, publish
from features.live_sessions.ports import LiveSessions
from features.media.errors import MediaFailed, NoSuchMedia, StillProcessing
from features.media.events import Stored
from features.media.hash_index import Match
from features.media.service import MediaService
from features.videos import metrics, store
from features.videos.events import Failed, Playable, Ready
from features.videos.jobs import Job, JobLost, JobResult, Jobs, Probe, Upload
from features.videos.model import Rung, Unplayable, Video, VideoProblem, VideoState
from features.videos.plan import Plan, merged
from features.videos.playlists import Rendition
from features.videos.policy import VideoPolicy

_TICK_S = 1.0
"""How often progress is reported, and how soon the deletion of a medium ends its jobs."""

log = logger(__name__)


class _VideoGone(Exception):
    """The medium was deleted while its video was made."""


class _NotAllowed(Exception):
    """The video has a picture that nobody may publish."""

    def __init__(self, match: Match) -> None:
        super().__init__()
        self.match = match


@dataclass(frozen=True, slots=True)
class Transcoding:
    brand: str
    policy: VideoPolicy
    media: MediaService
    jobs: Jobs
    live: LiveSessions | None
    """Tells owners about their videos; None: nobody is told."""
    now: Callable[[], datetime]

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [
            consumer(
                "videos.transcoding",
                (Stored,),
                self.transcode,
                outside=True,
                concurrency=4,
                outages=(ObjectStorageUnavailable,),
                start="oldest",
            )
        ]

    async def transcode(self, uow: UnitOfWork, event: Stored) -> None:
        """Makes the stream of a stored medium, if that is a video. Raises JobLost and ObjectStorageUnavailable: then it
        is to be called again."""
        if event.media_type.is_image:
            return
        try:
            original = await self.media.get_original(uow, event.account_id, event.media_id)
        except (NoSuchMedia, StillProcessing, MediaFailed):
            return
        video = await store.begin(uow, event.media_id, event.account_id, self.now())
        await uow.commit()
        if video.state in (VideoState.READY, VideoState.FAILED):
            return
        attempt = _Attempt(self, uow, video)
        try:
            await attempt.run(Upload(video.id, original.digest, original.size))
        except _VideoGone:
            return
        except _NotAllowed as found:
            if await self.media.hold_ready(uow, video.id, found.match, self.now()):
                await self._fail(uow, video, VideoProblem.NOT_ALLOWED)
        except Unplayable as error:
            await self._fail(uow, video, error.problem, keeps=attempt.probed)
        except JobLost:
            attempts = await store.count_attempt(uow, video.id)
            await uow.commit()
            if attempts < self.policy.max_attempts:
                raise
            await self._fail(uow, video, VideoProblem.BROKEN, keeps=True)

    async def _fail(self, uow: UnitOfWork, video: Video, problem: VideoProblem, *, keeps: bool = False) -> None:
        """Ends the work on a video. One that can be played stays so, with the qualities that it has, unless nobody may
        publish it. Of another nothing is kept, and what was uploaded only if it `keeps` that: it may be that not the
        file was at fault, but what worked on it."""
        if problem is not VideoProblem.NOT_ALLOWED and await store.settle(uow, video.id):
            publish(uow, Ready(video.id, video.account_id), self.now())
            await uow.commit()
            log.warning("video ready without all qualities", problem=problem.value)
            await self.tell(video, VideoState.READY)
            return
        # Before the video, in the order in which the deletion of the medium locks them.
        medium, now = await self.media.lock(uow, video.id), self.now()
        if medium is None or not await store.fail(uow, video.id, problem):
            return
        if not keeps:
            await self.media.fail_ready(uow, medium, now)
        publish(uow, Failed(video.id, video.account_id, problem.value), now)
        await uow.commit()
        metrics.FAILED.labels(self.brand, problem.value).inc()
        log.info("video failed", problem=problem.value)
        await self.tell(video, VideoState.FAILED, problem=problem.value)

    async def tell(self, video: Video, state: VideoState, **more: str) -> None:
        """Tells the owner's devices about a new state."""
        if self.live is None:
            return
        payload = {"media_id": video.id, "state": state.value, **more}
        try:
            await self.live.push(video.account_id, "video", payload, key=f"{video.id}:{state.value}")
        except Unavailable as error:
            log.warning("owner not told of a video", code=error.code)

    async def tell_progress(self, video: Video, percent: int) -> None:
        """Tells the owner's open sockets how much is done."""
        if self.live is None:
            return
        try:
            await self.live.signal(video.account_id, "video_progress", {"media_id": video.id, "percent": percent})
        except Unavailable as error:
            log.warning("owner not told of progress", code=error.code)


class _Attempt:
    """One attempt to make a stream."""

    def __init__(self, transcoding: Transcoding, uow: UnitOfWork, video: Video) -> None:
        self._transcoding = transcoding
        self._uow = uow
        self._video = video
        self._results: dict[int, JobResult] = {}
        self._renditions: list[Rendition] = []
        self._told = video.percent
        self.probed = False
        """Whether the file is one of which a stream can be made, for all that its probe says."""

    async def run(self, upload: Upload) -> None:
        """Makes the stream. Raises Unplayable, JobLost, ObjectStorageUnavailable and _VideoGone."""
        policy = self._transcoding.policy
        found = await self._run_job(Probe(upload, policy))
        assert found.source is not None
        self.probed = True
        plan = Plan.of(upload, found.source, policy)
        duration_ms = int(plan.source.duration * 1000)
        await store.describe(self._uow, self._video.id, plan.source.width, plan.source.height, duration_ms)
        await store.list_objects(self._uow, self._video.id, plan.keys())
        await self._uow.commit()
        await self._run_jobs(plan)

    async def _run_jobs(self, plan: Plan) -> None:
        waiting = list(enumerate(plan.jobs))[::-1]
        running: dict[asyncio.Task[JobResult], int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._transcoding.policy.jobs_at_once:
                    number, job = waiting.pop()
                    running[asyncio.create_task(self._run_job(job))] = number
                done, _ = await asyncio.wait(running, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    number = running.pop(task)
                    await self._screen(task.result())
                    self._results[number] = task.result()
                await self._report(plan)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _screen(self, result: JobResult) -> None:
        """Raises _NotAllowed for pictures that nobody may publish. The smallest rung is not published before all key
        frames are compared, since they come with its chunks."""
        if (hashes := result.hashes) and (match := await self._transcoding.media.screening.screen(hashes)):
            raise _NotAllowed(match)

    async def _run_job(self, job: Job) -> JobResult:
        brand, losses = self._transcoding.brand, 0
        metrics.WAITING.labels(brand).inc()
        try:
            while True:
                try:
                    result = await self._transcoding.jobs.run(job)
                except JobLost:
                    metrics.JOBS.labels(brand, "lost").inc()
                    losses += 1
                    if losses >= self._transcoding.policy.max_job_losses:
                        raise
                except Unplayable:
                    metrics.JOBS.labels(brand, "failed").inc()
                    raise
                else:
                    metrics.JOBS.labels(brand, "done").inc()
                    return result
        finally:
            metrics.WAITING.labels(brand).dec()

    async def _report(self, plan: Plan) -> None:
        """Publishes what is complete and has not been published. Raises _VideoGone."""
        complete = plan.complete_rungs(self._results)
        all_done = len(self._results) == len(plan.jobs)
        if len(complete) > len(self._renditions) or all_done:
            await self._publish(plan, complete, all_done=all_done)
            return
        percent = min(99, plan.percent(self._results))
        if not await store.progress(self._uow, self._video.id, percent):
            raise _VideoGone
        await self._uow.commit()
        if percent > self._told:
            self._told = percent
            await self._transcoding.tell_progress(self._video, percent)

    async def _publish(self, plan: Plan, complete: list[Rung], *, all_done: bool) -> None:
        brand, video, uow, first = self._transcoding.brand, self._video, self._uow, not self._renditions
        audio, of_audio = plan.audio(self._results)
        blurhash, of_poster = plan.poster(self._results)
        parts = [of_audio, of_poster, plan.drawn_storyboard(self._results)]
        for rung in complete[len(self._renditions) :]:
            rendition, of_rung = plan.rung(rung, self._results)
            self._renditions.append(rendition)
            parts.append(of_rung)
        files = merged(parts)
        state = VideoState.READY if all_done else VideoState.PLAYABLE
        # First, so that rows are locked in the order in which the deletion of a video locks them.
        if not await store.publish(uow, video.id, state, self._renditions, audio, blurhash):
            raise _VideoGone
        await store.name_objects(uow, video.id, files.objects)
        for name, media_type, content in files.texts:
            await store.put_text(uow, video.id, name, media_type, content)
        now = self._transcoding.now()
        if all_done:
            publish(uow, Ready(video.id, video.account_id), now)
        elif first:
            publish(uow, Playable(video.id, video.account_id), now)
        await uow.commit()
        seconds = (now - video.created_at).total_seconds()
        if first:
            metrics.PLAYABLE.labels(brand).observe(seconds)
        if all_done:
            metrics.READY.labels(brand).observe(seconds)
        await self._transcoding.tell(video, state)
