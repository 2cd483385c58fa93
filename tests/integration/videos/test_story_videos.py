"""Videos of stories: shown as far as they are, played by those who may see the story, and gone at its end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from features.posts.model import Audience
from features.stories.policy import StoryPolicy
from features.stories.privacy import may_see
from features.videos.jobs import DrawStoryboard, JobLost
from tests.integration.test_privacy_posts import RELATIONS
from tests.integration.test_privacy_stories import StoryScenario, check_everything
from tests.integration.videos import test_transcoding as transcoding
from tests.integration.videos.conftest import POLICY
from tests.integration.videos.test_post_videos import (
    CHANGING,
    EVERY_FILE,
    FINAL,
    UpTo,
    add_captioned_video,
    drain_all_but_streams,
)
from tests.support.clips import clip
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.uploads import upload

DAY = StoryPolicy().lifetime
MOMENT = timedelta(microseconds=1)


async def _publish(member: Member, media_id: str, **more: Any) -> dict[str, Any]:
    answer = await member.post("/stories", json={"media": {"id": media_id, "alt": "Waves"}, **more})
    assert answer.status_code == 201, answer.text
    story: dict[str, Any] = answer.json()
    return story


async def _statuses(environment: Environment, path: str) -> set[int]:
    """Returns the statuses of all files of a stream."""
    return {(await environment.anonymous.get(f"{path}/stream/{name}")).status_code for name in EVERY_FILE}


async def test_a_video_is_played_until_its_story_ends(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    media_id = await add_captioned_video(vignette, ada)
    story = await _publish(ada, media_id)
    shown = story["media"]
    assert len(shown["blurhash"]) == 28
    assert {key: shown[key] for key in ("id", "alt", "width", "height", "widths", "video")} == {
        "id": media_id,
        "alt": "Waves",
        "width": 64,
        "height": 36,
        "widths": [],
        "video": {"state": "ready", "duration_ms": 1000},
    }
    for name in (*FINAL, *CHANGING):
        answer = await vignette.anonymous.get(f"{shown['path']}/stream/{name}")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), name
        if name in FINAL:  # the rule of stories, and the file
            assert vignette.statements(answer) == 2, name
    # Neither what was uploaded nor what no playlist names, and no files of images.
    for name in ("stream/original", "original", "stream/72p.m3u8", "320.webp"):
        assert (await vignette.anonymous.get(f"{shown['path']}/{name}")).status_code == 404
    assert (await vignette.anonymous.get(f"/public-media/{media_id}/0/stream/master.m3u8")).status_code == 404

    vignette.clock.advance(DAY - MOMENT)
    ada, bob = await vignette.log_in("ada"), await vignette.log_in("bob")
    readers = {reader.username: reader for reader in (vignette.anonymous, bob, ada)}
    paths = dict[str, str]()
    for name, reader in readers.items():
        medium = (await reader.get(f"/stories/{story['id']}")).json()["media"]
        paths[name] = medium["path"]
        assert (medium["path_expires_at"] == story["expires_at"]) is (name != "ada")
        assert await _statuses(vignette, paths[name]) == {200}
    vignette.clock.advance(MOMENT)
    ends = {name: await _statuses(vignette, path) for name, path in paths.items()}
    assert ends == {name: {200 if name == "ada" else 404} for name in paths}
    assert (await ada.delete(f"/stories/{story['id']}")).status_code == 204
    assert await _statuses(vignette, paths["ada"]) == {404}


async def test_readers_see_how_far_a_video_is(chunked: Environment) -> None:
    ada = await chunked.member("ada")
    stored = await transcoding._store(chunked, ada, clip(seconds=1, size="128x72"))
    content = clip(seconds=1)
    broken = await transcoding._store(chunked, ada, content[: len(content) // 2])
    story_id, broken_id = [(await _publish(ada, str(each.media_id)))["id"] for each in (stored, broken)]
    await drain_all_but_streams(chunked)

    async def shown(of: str) -> tuple[str, int | None, bool, set[int]]:
        """State, duration, whether there is a preview, and what the files of a playable stream answer."""
        medium = (await chunked.anonymous.get(f"/stories/{of}")).json()["media"]
        names = ("master.m3u8", "36p.m3u8", "36p-0.mp4", "poster.jpg")
        statuses = {(await chunked.anonymous.get(f"{medium['path']}/stream/{name}")).status_code for name in names}
        return medium["video"]["state"], medium["video"]["duration_ms"], medium["blurhash"] is not None, statuses

    assert await shown(story_id) == await shown(broken_id) == ("processing", None, False, {404})
    jobs = transcoding._jobs(chunked)
    one_by_one = replace(POLICY, jobs_at_once=1, max_job_losses=1)
    with pytest.raises(JobLost):
        await transcoding._transcode(chunked, stored, UpTo(jobs, DrawStoryboard), policy=one_by_one)
    await drain_all_but_streams(chunked)
    assert await shown(story_id) == ("playable", 1000, True, {200})
    for each in (stored, broken):
        await transcoding._transcode(chunked, each, jobs)
    await drain_all_but_streams(chunked)
    assert await shown(story_id) == ("ready", 1000, True, {200})
    assert await shown(broken_id) == ("failed", None, False, {404})
    assert (await ada.delete(f"/stories/{broken_id}")).status_code == 204
    answer = await ada.post("/stories", json={"media": {"id": str(broken.media_id)}})
    assert (answer.status_code, answer.json()["code"]) == (422, "unusable_media")
    assert [error["field"] for error in answer.json()["errors"]] == ["media.id"]


class _Scenario(StoryScenario):
    names: ClassVar[Sequence[str]] = ["stream/master.m3u8", "stream/36p-0.mp4"]

    async def medium(self) -> str:
        return await upload(self.environment, self.author, clip(seconds=0.5), "video/mp4")

    async def check(self, *, live: bool, away: bool = False) -> None:
        """Compares what each reader reads with the specification; what else they see has nothing to do with videos."""
        for relation, relationship in RELATIONS.items():
            seen = {audience for audience in Audience if not away and may_see(relationship, audience, live=live)}
            assert (away and relationship.is_author) or await self.read(relation) == seen, relation


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


async def test_streams_are_read_by_those_who_may_see_the_story(environment: Environment) -> None:
    scenario = _Scenario(environment)
    await scenario.build()
    await check_everything(scenario)
