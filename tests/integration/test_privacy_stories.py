"""Who may see which story, and the files of its medium: every way to one, for every relationship, audience, and state
of the author, on both brands; HTTP responses agree with the specification (features/stories/privacy.py, `may_see`)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from features.media.model import MediaType
from features.posts.model import Audience
from features.stories.policy import StoryPolicy
from features.stories.privacy import may_see
from tests.integration.test_privacy_posts import RELATIONS, UNKNOWN, Scenario
from tests.support.environment import PASSWORD, Environment
from tests.support.hostile_images import encoded, noise
from tests.support.uploads import upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)


class StoryScenario(Scenario):
    """An author with a story for every audience, and a reader for every relation."""

    names: ClassVar[Sequence[str]] = ("320.webp",)
    """Of the files of a story."""
    stories: dict[Audience, str]
    references: dict[Audience, str]
    files: dict[tuple[str, Audience], str]
    """Paths of media by the relation of the reader whom they were made for."""

    async def medium(self) -> str:
        """Returns what a story is to show."""
        return await upload(self.environment, self.author, JPEG)

    async def build(self) -> None:
        await super().build()
        self.stories, self.references, self.files = {}, {}, {}
        for audience in Audience:
            list_id = self.list_id if audience is Audience.LIST else None
            medium = {"id": await self.medium()}
            body = {"media": medium, "audience": audience, "list_id": list_id}
            answer = await self.author.post("/stories", json=body)
            assert answer.status_code == 201, answer.text
            self.stories[audience] = answer.json()["id"]
            made = await self.author.post(f"/stories/{self.stories[audience]}/references")
            self.references[audience] = made.json()["reference"]
        for relation, reader in self.readers.items():
            for audience, story_id in self.stories.items():
                found = await reader.get(f"/stories/{story_id}")
                if found.status_code == 200:
                    self.files[relation, audience] = found.json()["media"]["path"]

    async def check(self, *, live: bool, away: bool = False) -> None:
        """Compares what each reader sees of each story, each way, with the specification."""
        for relation, relationship in RELATIONS.items():
            if away and relationship.is_author:
                continue  # has no session
            seen = {audience for audience in Audience if not away and may_see(relationship, audience, live=live)}
            signed_in = relation != "anonymous"
            assert await self.got(relation) == seen, relation
            assert await self.listed_on_the_profile(relation) == (seen if live else set()), relation
            assert await self.read(relation) == seen, relation
            assert await self.opened(relation) == (seen if signed_in else set()), relation
            if signed_in:
                assert await self.in_rings(relation) == (len(seen) if relationship.connected and live else 0), relation
            assert await self.viewed(relation) == (seen if signed_in else set()), relation

    async def got(self, relation: str) -> set[Audience]:
        return await self._each(relation, "GET", "", 200)

    async def viewed(self, relation: str) -> set[Audience]:
        """Which stories the reader may say to have seen, and may react to."""
        reacted = await self._each(relation, "PUT", "/reaction", 204, json={"kind": "love"})
        assert await self._each(relation, "PUT", "/view", 204) == reacted
        return reacted

    async def opened(self, relation: str) -> set[Audience]:
        """Which stories the reader sees by references in messages, which the author has made."""
        found = set()
        for audience, reference in self.references.items():
            answer = await self.readers[relation].get(f"/references/{reference}")
            assert answer.status_code in {200, 401, 404}
            if answer.status_code == 200:
                found.add(audience)
        return found

    async def _each(self, relation: str, method: str, suffix: str, success: int, **more: Any) -> set[Audience]:
        found = set()
        for audience, story_id in self.stories.items():
            answer = await self.readers[relation].request(method, f"/stories/{story_id}{suffix}", **more)
            assert answer.status_code in {success, 401, 404}
            if answer.status_code == success:
                found.add(audience)
        return found

    async def listed_on_the_profile(self, relation: str) -> set[Audience]:
        answer = await self.readers[relation].get("/profiles/self/stories")
        assert answer.status_code in {200, 404}
        shown = {item["id"] for item in answer.json().get("items", [])}
        return {audience for audience, story_id in self.stories.items() if story_id in shown}

    async def in_rings(self, relation: str) -> int:
        """Returns how many stories of the author the reader's rings count."""
        rings = (await self.readers[relation].get("/stories/rings")).json()["items"]
        return sum(ring["stories"] for ring in rings if ring["person"]["username"] == "self")

    async def read(self, relation: str) -> set[Audience]:
        """Files, by the paths that the reader was given while the story could be seen, if it could."""
        return {audience for audience in Audience if await self.file(relation, audience)}

    async def file(self, relation: str, audience: Audience) -> bool:
        path = self.files.get((relation, audience))
        return path is not None and await self.readable(path)

    async def readable(self, path: str) -> bool:
        """Returns whether all files of a medium can be read; fails unless none can, otherwise."""
        statuses = {(await self.environment.anonymous.get(f"{path}/{name}")).status_code for name in self.names}
        assert statuses in ({200}, {404}), path
        return statuses == {200}


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


@pytest.fixture
async def scenario(environment: Environment) -> StoryScenario:
    scenario = StoryScenario(environment)
    await scenario.build()
    return scenario


async def test_stories_honour_their_audience_until_they_end(scenario: StoryScenario) -> None:
    await check_everything(scenario)


async def check_everything(scenario: StoryScenario) -> None:
    """Checks a new scenario, and what changes in the life of a story."""
    assert set(scenario.files) == {
        (relation, audience)
        for relation, relationship in RELATIONS.items()
        for audience in Audience
        if may_see(relationship, audience, live=True)
    }
    await scenario.check(live=True)
    await _a_hidden_story_answers_like_one_that_never_was(scenario)
    await _changes_end_paths_at_once(scenario)
    await _the_author_is_away(scenario)
    await _the_end(scenario)


async def _a_hidden_story_answers_like_one_that_never_was(scenario: StoryScenario) -> None:
    for relation, relationship in RELATIONS.items():
        reader = scenario.readers[relation]
        if relation == "anonymous":
            continue
        for audience in Audience:
            expected = 200 if relationship.is_author else 403 if may_see(relationship, audience, live=True) else 404
            path = f"/stories/{scenario.stories[audience]}"
            answers = [await reader.get(f"{path}/viewers"), await reader.get(path), await reader.put(f"{path}/view")]
            assert answers[0].status_code == expected, (relation, audience)
            if expected != 404:
                continue
            answers.append(await reader.delete(path))
            unknown = (await reader.get(f"/stories/{UNKNOWN}")).json()
            for answer in answers:
                assert {**answer.json(), "trace_id": None} == {**unknown, "trace_id": None}


async def _changes_end_paths_at_once(scenario: StoryScenario) -> None:
    """Of those whom they concern, and of nobody else; and what was recorded of a blocked viewer is gone."""
    author, file = scenario.author, scenario.file
    assert (await author.delete(f"/lists/{scenario.list_id}/members/on_the_list")).is_success
    assert not await file("on_the_list", Audience.LIST)
    assert (await author.put(f"/lists/{scenario.list_id}/members/on_the_list")).is_success
    assert await file("on_the_list", Audience.LIST)
    assert (await author.delete("/close-friends/close_friend")).is_success
    assert not await file("close_friend", Audience.CLOSE_FRIENDS)
    assert await file("connected_close_friend", Audience.CLOSE_FRIENDS)
    assert (await author.put("/close-friends/close_friend")).is_success
    viewers = f"/stories/{scenario.stories[Audience.PUBLIC]}/viewers"

    async def listed() -> set[str]:
        return {item["person"]["username"] for item in (await author.get(viewers)).json()["items"]}

    everybody = {relation for relation, each in RELATIONS.items() if not each.apart and not each.is_author}
    assert await listed() == everybody - {"anonymous"}
    assert (await author.put("/blocks/stranger")).is_success
    assert not await file("stranger", Audience.PUBLIC)
    assert await file("connected", Audience.PUBLIC)
    assert (await author.delete("/blocks/stranger")).is_success
    assert await listed() == everybody - {"anonymous", "stranger"}


async def _the_author_is_away(scenario: StoryScenario) -> None:
    assert (await scenario.author.post("/account/deactivate", json={"password": PASSWORD})).is_success
    await scenario.check(live=True, away=True)
    assert not await scenario.file("self", Audience.PUBLIC)
    scenario.readers["self"] = await scenario.environment.log_in("self")
    assert await scenario.read("self") == set(Audience)
    assert await scenario.file("connected", Audience.CONNECTIONS)


async def _the_end(scenario: StoryScenario) -> None:
    scenario.environment.clock.advance(StoryPolicy().lifetime)
    for relation in RELATIONS.keys() - {"anonymous"}:
        scenario.readers[relation] = await scenario.environment.log_in(relation)
    for audience, story_id in scenario.stories.items():  # paths from before have expired, too
        found = await scenario.author.get(f"/stories/{story_id}")
        scenario.files["self", audience] = found.json()["media"]["path"]
    await scenario.check(live=False)
    await _highlights(scenario)


async def _highlights(scenario: StoryScenario) -> None:
    """Of each audience one, with a story that had another audience and has expired."""
    environment, readers, pairs = scenario.environment, scenario.readers, [*Audience]
    highlights, kept = {}, {}
    for position, audience in enumerate(pairs):
        list_id = scenario.list_id if audience is Audience.LIST else None
        body = {"title": str(audience), "audience": audience, "list_id": list_id}
        highlights[audience] = (await scenario.author.post("/highlights", json=body)).json()["id"]
        kept[audience] = scenario.stories[pairs[position - 1]]
        path = f"/highlights/{highlights[audience]}/stories/{kept[audience]}"
        assert (await scenario.author.put(path)).json()["stories"] == 1

    async def shown(relation: str, *, away: bool = False) -> dict[Audience, str]:
        """Returns paths of the media of the stories that the reader sees in highlights."""
        reader, relationship, files = readers[relation], RELATIONS[relation], dict[Audience, str]()
        listed = await reader.get("/profiles/self/highlights")
        found = {item["id"] for item in listed.json().get("items", [])}
        for audience, highlight_id in highlights.items():
            expected = not away and may_see(relationship, pairs[0], live=False, highlighted=[audience])
            assert (highlight_id in found) is expected, (relation, audience)
            answers = [
                await reader.get(f"/highlights/{highlight_id}"),
                await reader.get(f"/highlights/{highlight_id}/stories"),
                await reader.get(f"/stories/{kept[audience]}"),
            ]
            assert [answer.status_code for answer in answers] == [200 if expected else 404] * 3, (relation, audience)
            if expected:
                [story] = answers[1].json()["items"]
                assert story["id"] == kept[audience]
                files[audience] = story["media"]["path"]
                assert await scenario.readable(files[audience])
        return files

    files = {relation: await shown(relation) for relation in readers}

    async def read(relation: str, audience: Audience) -> bool:
        return await scenario.readable(files[relation][audience])

    # Another audience, and back: what was given out before stays dead. Others are not concerned.
    author, public = scenario.author, f"/highlights/{highlights[Audience.PUBLIC]}"
    for audience in (Audience.ONLY_ME, Audience.PUBLIC):
        assert (await author.patch(public, json={"audience": audience})).status_code == 200
        assert not await read("stranger", Audience.PUBLIC)
    assert await read("connected", Audience.CONNECTIONS)
    files["stranger"] = await shown("stranger")
    # Taken out, and put back.
    assert (await author.delete(f"{public}/stories/{kept[Audience.PUBLIC]}")).status_code == 204
    assert not await read("stranger", Audience.PUBLIC)
    assert (await author.put(f"{public}/stories/{kept[Audience.PUBLIC]}")).status_code == 200
    assert not await read("stranger", Audience.PUBLIC)
    files["stranger"] = await shown("stranger")
    assert (await author.put("/blocks/connected")).is_success
    assert not await read("connected", Audience.CONNECTIONS)
    assert (await author.post("/account/deactivate", json={"password": PASSWORD})).is_success
    await shown("stranger", away=True)
    assert not await read("stranger", Audience.PUBLIC)
    author = readers["self"] = await environment.log_in("self")
    assert await read("stranger", Audience.PUBLIC)
    assert (await author.delete(public)).status_code == 204
    assert not await read("stranger", Audience.PUBLIC)
    assert (await readers["stranger"].get(f"/stories/{kept[Audience.PUBLIC]}")).status_code == 404
    assert (await author.get(f"/stories/{kept[Audience.PUBLIC]}")).status_code == 200
