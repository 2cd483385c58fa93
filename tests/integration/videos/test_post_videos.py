"""Videos of posts: shown beside images as far as they are, and played by those who may see the post."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from cluster.events.worker import drain_events
from deployments.platform import brand_consumers
from features.auth.service import AuthService
from features.media.model import MediaType
from features.media.service import MediaService
from features.posts.model import Audience
from features.posts.privacy import may_see
from features.videos.jobs import DrawStoryboard, EncodeChunk, Job, JobLost, JobResult, Jobs
from features.videos.model import Unplayable, VideoProblem
from features.videos.sweeping import sweep_videos
from tests.integration.test_privacy_posts import RELATIONS, Scenario
from tests.integration.videos import test_transcoding as transcoding
from tests.integration.videos.conftest import POLICY
from tests.support.clips import clip
from tests.support.environment import PASSWORD, Environment
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.uploads import stored as stored_keys
from tests.support.uploads import sweep, upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)
RUNG = ["36p.m3u8", "36p-iframes.m3u8", "36p-0.mp4"]
FINAL = [*RUNG, "audio.m3u8", "audio.mp4", "poster.jpg", "storyboard.vtt", "storyboard.jpg"]
CHANGING = ["master.m3u8", "captions-en.m3u8", "captions-en.vtt"]
EVERY_FILE = [*FINAL, *CHANGING]
EVERY_KIND = ["36p.m3u8", "36p-0.mp4", "master.m3u8", "captions-en.vtt"]
"""A text and an object that are stored, a playlist and captions that are made for the request."""


async def add_captioned_video(environment: Environment, member: Member) -> str:
    """Returns a video with captions."""
    media_id = await upload(environment, member, clip(seconds=1), "video/mp4")
    body = {"label": "English", "webvtt": "WEBVTT\n\n00:00.100 --> 00:00.900\nHello\n"}
    assert (await member.put(f"/media/{media_id}/captions/en", json=body)).is_success
    return media_id


async def _publish(member: Member, *media_ids: str, **more: Any) -> dict[str, Any]:
    media = [{"id": media_id, "alt": f"medium {at}"} for at, media_id in enumerate(media_ids)]
    answer = await member.post("/posts", json={"text": "x", "media": media, **more})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _statuses(environment: Environment, root: str, names: Sequence[str] = EVERY_FILE) -> set[int]:
    """Returns the statuses of files of a stream."""
    return {(await environment.anonymous.get(f"{root}/stream/{name}")).status_code for name in names}


async def test_a_video_is_shown_beside_images_and_played_by_everybody(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    assert (await bob.put("/follows/ada")).is_success
    image, video = await upload(vignette, ada, JPEG), await add_captioned_video(vignette, ada)
    post = await _publish(ada, image, video)
    shown = post["media"][1]
    assert len(shown.pop("blurhash")) == 28
    path = f"/public-media/{video}/0"
    assert shown == {
        "id": video,
        "alt": "medium 1",
        "width": 64,
        "height": 36,
        "widths": [],
        "video": {"state": "ready", "duration_ms": 1000},
        "path": path,
    }
    assert post["media"][0]["video"] is None
    await vignette.drain()
    assert (await bob.get("/feed")).json()["items"] == [(await bob.get(f"/posts/{post['id']}")).json()]

    for name in FINAL:
        answer = await vignette.anonymous.get(f"{path}/stream/{name}")
        assert answer.headers["Cache-Control"] == "public, max-age=3600, immutable", name
        assert vignette.statements(answer) == 2
    for name in CHANGING:  # other qualities and captions may come
        answer = await vignette.anonymous.get(f"{path}/stream/{name}")
        assert answer.headers["Cache-Control"] == "public, no-cache", name
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert (await vignette.anonymous.get(f"{path}/stream/{name}", headers=tag)).status_code == 304
    playlist = (await vignette.anonymous.get(f"{path}/stream/36p.m3u8")).text
    size, offset, name = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", playlist)[0]
    end = int(offset) + int(size) - 1
    segment = await vignette.anonymous.get(f"{path}/stream/{name}", headers={"Range": f"bytes={offset}-{end}"})
    assert (segment.status_code, len(segment.content), segment.content[4:8]) == (206, int(size), b"moof")
    beyond = await vignette.anonymous.get(f"{path}/stream/{name}", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    # Neither what was uploaded nor what no playlist names, and no files of images.
    for name in ("stream/original", "original", "stream/72p.m3u8", "320.webp"):
        assert (await vignette.anonymous.get(f"{path}/{name}")).status_code == 404


@dataclass
class UpTo:
    """Jobs that end with the first of a kind: their workers are lost."""

    inner: Jobs
    last: type[Job]

    async def run(self, job: Job) -> JobResult:
        if isinstance(job, self.last):
            raise JobLost
        return await self.inner.run(job)


async def drain_all_but_streams(environment: Environment) -> None:
    """Handles all events but those that make streams."""
    consumers = [one for one in brand_consumers(environment.platform) if one.name != "videos.transcoding"]
    await drain_events(consumers, environment.platform.database, environment.event_log)


async def test_readers_see_how_far_a_video_is(chunked: Environment) -> None:
    ada, bob = await chunked.member("ada"), await chunked.member("bob")
    for one, other in ((ada, bob), (bob, ada)):
        assert (await one.post("/friends/requests", json={"username": other.username})).is_success
    content = clip(seconds=1, size="128x72")
    stored, drafted, former = [await transcoding._store(chunked, ada, content) for _ in range(3)]
    post = await _publish(ada, str(stored.media_id))
    changed = await _publish(ada, str(former.media_id))
    assert (await ada.patch(f"/posts/{changed['id']}", json={"media": []})).is_success
    draft = {"text": "later", "media": [{"id": str(drafted.media_id)}]}
    draft_id = (await ada.post("/drafts", json=draft)).json()["id"]
    await drain_all_but_streams(chunked)

    async def shown() -> tuple[str, int | None, bool, set[int]]:
        """State, duration, whether there is a preview, and what the files of a playable stream answer."""
        [medium] = (await bob.get(f"/posts/{post['id']}")).json()["media"]
        names = ("master.m3u8", "36p.m3u8", "36p-0.mp4", "poster.jpg")
        answers = [await chunked.anonymous.get(f"{medium['path']}/stream/{name}") for name in names]
        video = medium["video"]
        statuses = {answer.status_code for answer in answers}
        return video["state"], video["duration_ms"], medium["blurhash"] is not None, statuses

    assert await shown() == ("processing", None, False, {404})
    jobs = transcoding._jobs(chunked)
    one_by_one = replace(POLICY, jobs_at_once=1, max_job_losses=1)
    with pytest.raises(JobLost):
        await transcoding._transcode(chunked, stored, UpTo(jobs, DrawStoryboard), policy=one_by_one)
    await drain_all_but_streams(chunked)
    assert await shown() == ("playable", 1000, True, {200})
    for event in (stored, drafted, former):
        await transcoding._transcode(chunked, event, jobs)
    await drain_all_but_streams(chunked)
    assert await shown() == ("ready", 1000, True, {200})
    published = await ada.post(f"/drafts/{draft_id}/publication")
    ready = {"state": "ready", "duration_ms": 1000}
    assert published.json()["media"][0]["video"] == ready
    [medium] = (await bob.get(f"/posts/{changed['id']}/history")).json()["items"][1]["media"]
    assert medium["video"] == ready
    assert (await chunked.anonymous.get(f"{medium['path']}/stream/master.m3u8")).status_code == 200


@dataclass
class SmallestOnly:
    """Jobs of which those at larger rungs fail, after the first chunk."""

    inner: Jobs
    error: Exception

    async def run(self, job: Job) -> JobResult:
        if isinstance(job, EncodeChunk) and not job.hashed and job.chunk.first > 0:
            raise self.error
        return await self.inner.run(job)


@pytest.mark.parametrize("error", [Unplayable(VideoProblem.BROKEN), JobLost()])
async def test_a_video_that_can_be_played_stays_so_if_larger_qualities_fail(
    chunked: Environment, error: Exception
) -> None:
    ada, bob = await chunked.member("ada"), await chunked.member("bob")
    stored = await transcoding._store(chunked, ada, clip(seconds=1, size="128x72"))
    post = await _publish(ada, str(stored.media_id))
    policy = replace(POLICY, jobs_at_once=1, max_job_losses=1, max_attempts=1)
    told = transcoding.Told()
    jobs = SmallestOnly(transcoding._jobs(chunked), error)
    await transcoding._transcode(chunked, stored, jobs, told, policy)
    await drain_all_but_streams(chunked)
    assert [payload["state"] for _, _, payload in told.pushed] == ["playable", "ready"]
    [medium] = (await bob.get(f"/posts/{post['id']}")).json()["media"]
    assert medium["video"] == {"state": "ready", "duration_ms": 1000}
    names = ["master.m3u8", "36p.m3u8", "36p-0.mp4", "poster.jpg"]
    assert await _statuses(chunked, medium["path"], names) == {200}
    assert "72p" not in (await chunked.anonymous.get(f"{medium['path']}/stream/master.m3u8")).text
    video = (await ada.get(f"/media/{stored.media_id}/video")).json()
    assert (video["state"], video["problem"], video["percent"]) == ("ready", None, 100)
    assert video["storyboard"] is None or await _statuses(chunked, medium["path"], ["storyboard.vtt"]) == {200}
    # What was made of the larger quality does not stay in storage.
    await sweep_videos(chunked.platform)
    chunked.clock.advance(timedelta(hours=2))
    await sweep(chunked)
    named = await chunked.platform.database.pool.fetch("select key from video_objects where name is not null")
    assert [key for key in stored_keys(chunked) if key.startswith("videos/")] == sorted(row["key"] for row in named)


async def test_a_video_that_cannot_be_played(chunked: Environment) -> None:
    ada = await chunked.member("ada")
    content = clip(seconds=1)
    stored = await transcoding._store(chunked, ada, content[: len(content) // 2])
    post = await _publish(ada, str(stored.media_id), text="shown before anybody knew")
    await transcoding._transcode(chunked, stored, transcoding._jobs(chunked))
    await drain_all_but_streams(chunked)
    [medium] = (await ada.get(f"/posts/{post['id']}")).json()["media"]
    assert (medium["video"], medium["width"]) == ({"state": "failed", "duration_ms": None}, None)
    assert (await chunked.anonymous.get(f"{medium['path']}/stream/master.m3u8")).status_code == 404
    assert (await ada.patch(f"/posts/{post['id']}", json={"media": []})).is_success
    answer = await ada.patch(f"/posts/{post['id']}", json={"media": [{"id": medium["id"]}]})
    assert (answer.status_code, answer.json()["code"]) == (422, "unusable_media")
    assert "media.0.id" in answer.text


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


async def test_streams_are_read_by_those_who_may_see_the_post_and_by_nobody_else(environment: Environment) -> None:
    """Every kind of address and of file, for every relationship and audience; and dead after each change
    that hides the post."""
    scenario = Scenario(environment)
    await scenario.build()
    author, readers = scenario.author, scenario.readers
    media_id = await add_captioned_video(environment, author)
    post_id = (await _publish(author, media_id, audience="only_me"))["id"]
    epoch = 0

    async def change(audience: Audience) -> None:
        nonlocal epoch
        list_id = scenario.list_id if audience is Audience.LIST else None
        answer = await author.patch(f"/posts/{post_id}", json={"audience": audience, "list_id": list_id})
        assert answer.is_success, answer.text
        epoch += audience is not Audience.ONLY_ME or epoch > 0

    def address(reader: Member) -> str:
        """What this reader is given, or would be."""
        service = environment.platform.service(MediaService)
        viewer_id = UUID(reader.id) if reader.id else None
        return f"/post-media/{service.seal(UUID(media_id), viewer_id, epoch, environment.clock()).token}"

    def public() -> str:
        return f"/public-media/{media_id}/{epoch}"

    former = set[str]()
    for audience in Audience:
        await change(audience)
        assert await _statuses(environment, public()) == ({200} if audience is Audience.PUBLIC else {404}), audience
        for relation, relationship in RELATIONS.items():
            reader = readers[relation]
            expected = may_see(relationship, audience)
            answer = await reader.get(f"/posts/{post_id}/media")
            assert (answer.status_code == 200) is expected
            assert not expected or answer.json()["items"][0]["path"] == address(reader)
            found = await _statuses(environment, address(reader), EVERY_KIND)
            assert found == ({200} if expected else {404}), (relation, audience)
        former |= {public(), address(author), address(readers["connected"])}

    await change(Audience.PUBLIC)
    assert {status for root in former for status in await _statuses(environment, root, EVERY_KIND)} == {404}
    friend, blocked = address(readers["connected"]), address(readers["connected_close_friend"])
    assert (await author.put("/blocks/connected_close_friend")).is_success
    assert [await _statuses(environment, root) for root in (friend, blocked, public())] == [{200}, {404}, {200}]

    # Reader and author are away, and come back.
    life = environment.platform.service(AuthService).account_life
    async with environment.platform.database.unit_of_work() as uow:
        await life.suspend(uow, UUID(readers["connected"].id), environment.clock())
        await uow.commit()
    assert [await _statuses(environment, root) for root in (friend, public())] == [{404}, {200}]
    assert (await author.post("/account/deactivate", json={"password": PASSWORD})).is_success
    own = address(author)
    assert [await _statuses(environment, root) for root in (own, public())] == [{404}, {404}]
    author = await environment.log_in("self")
    assert [await _statuses(environment, root) for root in (own, public())] == [{200}, {200}]

    environment.clock.advance(timedelta(minutes=61))
    assert [await _statuses(environment, root) for root in (own, public())] == [{404}, {200}]
    author = await environment.log_in("self")
    own = address(author)
    assert await _statuses(environment, own) == {200}
    assert (await author.delete(f"/posts/{post_id}")).status_code == 204
    assert [await _statuses(environment, root) for root in (own, public())] == [{404}, {404}]
