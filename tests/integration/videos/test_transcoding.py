"""How streams are made: by many jobs, any of which may be lost."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from cluster.events.worker import drain_events
from deployments.platform import brand_consumers
from features.live_sessions.ports import LiveSessions
from features.media.events import Stored
from features.media.model import MediaType
from features.media.service import MediaService
from features.realtime.errors import SessionsUnavailable
from features.videos import performing
from features.videos.commands import TIMESTAMP_OFFSET, encode_audio, encode_chunk, probe_packets, probe_streams
from features.videos.fragments import FragmentedFile, parse_file
from features.videos.jobs import Job, JobLost, JobResult, Jobs
from features.videos.ladder import ladder
from features.videos.local_jobs import LocalJobs
from features.videos.model import Source
from features.videos.policy import VideoPolicy
from features.videos.probe import parse_source
from features.videos.processes import run_limited
from features.videos.source_files import SourceFiles
from features.videos.timeline import Timeline
from features.videos.transcoding import Transcoding
from tests.integration.videos.conftest import POLICY
from tests.support.clips import clip, made
from tests.support.environment import ROOT, Environment
from tests.support.member import Member
from tests.support.uploads import append, begin


def _clip() -> bytes:
    """Six chunks, at two rungs."""
    return clip(seconds=3.2, size="128x72")


async def _store(environment: Environment, member: Member, content: bytes) -> Stored:
    """Uploads a video of which no stream is made yet. Returns the event."""
    path = await begin(member, len(content), "video/mp4")
    assert (await append(member, path, 0, content)).status_code == 204
    consumers = [one for one in brand_consumers(environment.platform) if one.name != "videos.transcoding"]
    await drain_events(consumers, environment.platform.database, environment.event_log)
    return Stored(UUID(path.removeprefix("/uploads/")), UUID(member.id), MediaType.MP4)


def _jobs(environment: Environment) -> LocalJobs:
    objects = environment.platform.service(MediaService).objects
    return LocalJobs(objects, SourceFiles.of(environment.settings, environment.brand.name, objects))


@dataclass
class Told:
    """What owners are told, instead of live sessions."""

    pushed: list[tuple[UUID, str, dict[str, Any]]] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    unavailable: bool = False

    async def push(self, user_id: UUID, kind: str, payload: Mapping[str, Any], *, key: str = "") -> None:
        if self.unavailable:
            raise SessionsUnavailable
        assert key
        self.pushed.append((user_id, kind, dict(payload)))

    async def signal(self, user_id: UUID, kind: str, payload: Mapping[str, Any]) -> None:
        if self.unavailable:
            raise SessionsUnavailable
        assert kind == "video_progress"
        self.signals.append(payload["percent"])


async def _transcode(
    environment: Environment, event: Stored, jobs: Jobs, told: Told | None = None, policy: VideoPolicy = POLICY
) -> None:
    media = environment.platform.service(MediaService)
    live = cast(LiveSessions, told or Told())
    transcoding = Transcoding(environment.brand.name, policy, media, jobs, live, environment.clock)
    async with environment.platform.database.unit_of_work() as uow:
        await transcoding.transcode(uow, event)
        await uow.commit()


async def _state(member: Member, event: Stored) -> dict[str, Any]:
    found: dict[str, Any] = (await member.get(f"/media/{event.media_id}/video")).json()
    return found


async def _file(environment: Environment, member: Member, event: Stored, name: str) -> bytes:
    path = (await _state(member, event))["stream"]["path"].rpartition("/")[0]
    answer = await environment.anonymous.get(f"{ROOT}{path}/{name}")
    assert answer.status_code == 200, name
    return answer.content


async def _playlists(environment: Environment, member: Member, event: Stored) -> list[bytes]:
    names = ("master.m3u8", "36p.m3u8", "36p-iframes.m3u8", "72p.m3u8", "72p-iframes.m3u8", "audio.m3u8")
    return [await _file(environment, member, event, name) for name in names]


@dataclass
class Counted:
    """Counts how often each job was run."""

    inner: Jobs
    runs: Counter[Job] = field(default_factory=Counter)
    lost: Counter[Job] = field(default_factory=Counter)

    async def run(self, job: Job) -> JobResult:
        self.runs[job] += 1
        try:
            return await self.inner.run(job)
        except JobLost:
            self.lost[job] += 1
            raise


async def test_fifty_killed_workers_cost_one_job_each_and_change_nothing(
    chunked: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await chunked.member("ada")
    event, undisturbed = [await _store(chunked, ada, _clip()) for _ in range(2)]
    await _transcode(chunked, undisturbed, _jobs(chunked))
    counted, spawn, killed = Counted(_jobs(chunked)), asyncio.create_subprocess_exec, 0

    async def deadly(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal killed
        process = await spawn(*command, **options)
        if "ffmpeg" in command and killed < 50:
            killed += 1
            process.kill()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", deadly)
    await _transcode(chunked, event, counted)
    assert (await _state(ada, event))["state"] == "ready"
    assert 40 <= counted.lost.total() <= killed == 50  # on a busy machine some have done their work before
    assert all(counted.runs[job] == 1 + counted.lost[job] for job in counted.runs)
    assert await _playlists(chunked, ada, event) == await _playlists(chunked, ada, undisturbed)


async def test_what_was_made_before_an_interruption_is_not_made_again(
    chunked: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await chunked.member("ada")
    event = await _store(chunked, ada, _clip())
    commands: list[str] = []

    async def counted(command: list[str], policy: VideoPolicy) -> bytes:
        commands.append(command[-1])
        return await run_limited(command, policy)

    monkeypatch.setattr(performing, "run_limited", counted)

    @dataclass
    class Ending:
        """The worker of the tenth job is lost, and so is each after it."""

        inner: Jobs
        left: int = 10

        async def run(self, job: Job) -> JobResult:
            self.left -= 1
            if self.left < 0:
                raise JobLost
            return await self.inner.run(job)

    policy = replace(POLICY, max_job_losses=1, jobs_at_once=2)
    with pytest.raises(JobLost):
        await _transcode(chunked, event, Ending(_jobs(chunked)), policy=policy)
    assert (await _state(ada, event))["state"] in ("processing", "playable")
    before = len(commands)
    assert before > 5
    await _transcode(chunked, event, _jobs(chunked), policy=policy)
    assert (await _state(ada, event))["state"] == "ready"
    whole = 2 + 1 + 2 * 6 + 2  # probe, audio, six chunks at two rungs, pictures
    # Again: the probe, and at most the two jobs that the interruption cut off.
    assert len(commands) <= whole + 2 + 2


async def test_rungs_are_aligned_and_no_frame_is_lost_or_repeated(chunked: Environment, tmp_path: Path) -> None:
    ada = await chunked.member("ada")
    content = _clip()
    event = await _store(chunked, ada, content)
    await _transcode(chunked, event, _jobs(chunked))
    rungs: dict[str, list[FragmentedFile]] = {}
    for rung in ("36p", "72p"):
        files = [await _file(chunked, ada, event, f"{rung}-{number}.mp4") for number in range(6)]
        rungs[rung] = [parse_file(file) for file in files]
        head = rungs[rung][0].head
        (tmp_path / f"{rung}.mp4").write_bytes(files[0] + b"".join(file[head:] for file in files[1:]))
    small, large = (
        [(one.decode_time, one.samples, one.duration) for file in rungs[rung] for one in file.fragments]
        for rung in ("36p", "72p")
    )
    assert small == large
    assert sum(samples for _, samples, _ in small) == 96  # 3.2 s of 30 frames a second
    assert all(one[0] + one[2] == other[0] for one, other in pairwise(small))

    # Each frame of the stream is the frame of the source with its number.
    (tmp_path / "source.mp4").write_bytes(content)
    command = ["ffmpeg", "-hide_banner", "-i", str(tmp_path / "72p.mp4"), "-i", str(tmp_path / "source.mp4")]
    graph = "[0:v]setpts=N/30/TB[a];[1:v]setpts=N/30/TB[b];[a][b]ssim=stats_file=-:eof_action=endall"
    printed = subprocess.run([*command, "-lavfi", graph, "-f", "null", "-"], capture_output=True, text=True).stdout
    likeness = [float(line.split("All:")[1].split()[0]) for line in printed.splitlines()]
    assert len(likeness) == 96
    assert min(likeness) > 0.9

    audio = parse_file(await _file(chunked, ada, event, "audio.mp4"))
    _check_audio(audio, 3.2)


_SLOW = "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -pix_fmt yuv420p -g 30"
_CONTAINERS = {
    "phone.mp4": "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30",
    "reordered.mp4": _SLOW,
    "open_gop.mov": f"{_SLOW} -x264-params open-gop=1",
    "reordered.mkv": _SLOW,
    "vp8.webm": "-c:v libvpx -deadline realtime -cpu-used 8 -g 30",
}


@pytest.mark.parametrize("name", _CONTAINERS)
@pytest.mark.parametrize("rate", ["30", "30000/1001"])
async def test_a_chunk_that_begins_with_a_key_frame_is_the_same_without_the_frames_before(
    tmp_path: Path, name: str, rate: str
) -> None:
    path, policy = tmp_path / name, replace(POLICY, gop=Fraction(1))
    picture = ("-f", "lavfi", "-i", f"testsrc2=size=64x36:rate={rate}", "-t", "4")
    path.write_bytes(made(*picture, *_CONTAINERS[name].split(), suffix=name.rpartition(".")[2]))
    streams = (await run_limited(probe_streams(path), policy)).decode()
    packets = (await run_limited(probe_packets(path, 0), policy)).decode()
    source = parse_source(streams, packets.splitlines(), policy)
    assert [number for number, _ in source.key_frames] == [30, 60, 90]
    timeline, rung, made_of = Timeline.of(source, policy), ladder(source, policy)[0], list[bytes]()
    for each in (source, replace(source, key_frames=())):
        output = tmp_path / f"{len(made_of)}.mp4"
        await run_limited(encode_chunk(path, each, timeline, timeline.chunks()[2], [(rung, output)]), policy)
        made_of.append(output.read_bytes())
    assert made_of[0] == made_of[1]


def _check_audio(audio: FragmentedFile, seconds: float) -> None:
    """Sample 0 is at the time of frame 0, and the last one where the picture ends. Before them is what the encoder
    begins with: 1,024 samples that players do not play."""
    assert audio.fragments[0].decode_time == (TIMESTAMP_OFFSET * 48_000) - 1024
    assert sum(fragment.duration for fragment in audio.fragments) == seconds * 48_000 + 1024


@pytest.mark.parametrize("frames", [3, 30, 75])
def test_audio_ends_with_the_picture(tmp_path: Path, frames: int) -> None:
    """Also where that is not the end of a packet."""
    (tmp_path / "source.mp4").write_bytes(clip(seconds=4))
    source = Source(0, 1, 64, 36, Fraction(0), Fraction(30), frames, False, False)
    command = encode_audio(tmp_path / "source.mp4", source, POLICY, tmp_path / "audio.mp4")
    subprocess.run(command, check=True)
    _check_audio(parse_file((tmp_path / "audio.mp4").read_bytes()), frames / 30)


async def test_the_owner_is_told(chunked: Environment) -> None:
    ada = await chunked.member("ada")
    event, told = await _store(chunked, ada, _clip()), Told()
    one_at_a_time = replace(_jobs(chunked), slots=asyncio.Semaphore(1))
    await _transcode(chunked, event, one_at_a_time, told)
    of_ada = {(user, kind) for user, kind, _ in told.pushed}
    assert of_ada == {(UUID(ada.id), "video")}
    assert [payload["state"] for _, _, payload in told.pushed] == ["playable", "ready"]
    assert told.signals == sorted(set(told.signals))
    assert told.signals[0] > 0
    assert told.signals[-1] < 100

    audio_only = replace(event, media_id=(await _store(chunked, ada, _sound())).media_id)
    await _transcode(chunked, audio_only, _jobs(chunked), told)
    assert told.pushed[-1][2] == {"media_id": audio_only.media_id, "state": "failed", "problem": "audio_only"}


def _sound() -> bytes:
    return made("-f", "lavfi", "-i", "sine=440", "-t", "1", "-c:a", "aac")


async def test_a_video_is_made_while_nobody_can_be_told(chunked: Environment) -> None:
    ada = await chunked.member("ada")
    event = await _store(chunked, ada, clip(seconds=1))
    await _transcode(chunked, event, _jobs(chunked), Told(unavailable=True))
    assert (await _state(ada, event))["state"] == "ready"


async def test_the_deletion_of_a_medium_ends_its_jobs(chunked: Environment) -> None:
    ada = await chunked.member("ada")
    event = await _store(chunked, ada, clip(seconds=1))

    @dataclass
    class Stuck:
        inner: Jobs
        running: int = 0
        begun: asyncio.Event = field(default_factory=asyncio.Event)

        async def run(self, job: Job) -> JobResult:
            if not job.parts:
                return await self.inner.run(job)
            self.running += 1
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.running -= 1
            raise AssertionError

    stuck = Stuck(_jobs(chunked))
    transcoding = asyncio.create_task(_transcode(chunked, event, stuck))
    await asyncio.wait_for(stuck.begun.wait(), 60)
    assert (await ada.delete(f"/media/{event.media_id}")).status_code == 204
    await asyncio.wait_for(transcoding, 60)
    assert stuck.running == 0


async def test_a_file_that_always_kills_its_workers_is_given_up(chunked: Environment) -> None:
    ada = await chunked.member("ada")
    event = await _store(chunked, ada, clip(seconds=1))

    class Deadly:
        async def run(self, job: Job) -> JobResult:
            raise JobLost

    policy = replace(POLICY, max_job_losses=2, max_attempts=3)
    for _ in range(2):
        with pytest.raises(JobLost):
            await _transcode(chunked, event, Deadly(), policy=policy)
    await _transcode(chunked, event, Deadly(), policy=policy)
    found = await _state(ada, event)
    assert (found["state"], found["problem"]) == ("failed", "broken")
    content = await ada.get(f"/media/{event.media_id}/content")
    assert content.status_code == 200, "perhaps the machines were at fault"
