"""Every GET of the OpenAPI documents while an account is in each of its states: what others see of it, and what its
owner's tokens are still good for. The GETs are those of tests/support/read_paths.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from features.account_state import AccountState
from features.accounts.erasure import erase_due_accounts
from features.accounts.machine import Action, Actor
from features.accounts.policy import AccountPolicy
from features.accounts.service import AccountService
from features.devices.directory_epochs import close_due_epoch
from features.media.model import MediaType
from tests.support.clips import clip
from tests.support.devices import create_link, register_first_device
from tests.support.environment import PASSWORD, Environment
from tests.support.files import file_of
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.read_paths import ANONYMOUS, ReadPath, read_paths
from tests.support.uploads import upload

UNKNOWN = "00000000-0000-7000-8000-000000000000"


class Scenario:
    """Ada, whose state changes, and people who have to do with her: bob is connected with her and has her in all his
    sets, carol has a request of hers, dan has sent her one, eve has blocked her, mia is a stranger."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.people: dict[str, Member] = {ANONYMOUS: environment.anonymous}
        self.post_file = self.public_file = self.story_file = self.story_id = ""
        self.post_id = self.answer_id = self.list_id = self.media_id = self.file = self.draft_id = ""
        self.collection_id = self.bobs_story_id = self.highlight_id = self.link_id = self.shared = self.reference = ""
        self.conversation_id = self.device_link_id = ""
        self.video_id = self.stream = self.post_stream = self.public_stream = self.story_stream = self.profile_file = ""
        self.requests: list[str] = []
        self.comment_ids: list[str] = []
        """On bob's post: of ada, of bob, and ada's reply to that."""

    @property
    def files(self) -> set[str]:
        """Paths that name nobody, and show what is hers."""
        return {
            *(self.file, self.stream),
            *(self.post_file, self.post_stream),
            *(self.public_file, self.public_stream),
            *(self.story_file, self.story_stream, self.shared, self.reference, self.profile_file),
        }

    @property
    def ada(self) -> Member:
        return self.people["ada"]

    @property
    def friends(self) -> bool:
        return "friends" in self.environment.brand.feature_names

    async def build(self) -> None:
        for name in ("ada", "bob", "carol", "dan", "eve", "mia"):
            self.people[name] = await self.environment.member(name)
        ada, bob, carol, dan = [self.people[name] for name in ("ada", "bob", "carol", "dan")]
        ways: list[httpx.Response] = []
        if self.friends:
            for sender, recipient in ((ada, bob), (bob, ada), (ada, carol), (dan, ada)):
                ways.append(await sender.post("/friends/requests", json={"username": recipient.username}))
            self.requests = [way.json()["id"] for way in ways]
        else:
            ways += [await ada.put("/follows/bob"), await bob.put("/follows/ada")]
        post = await ada.post("/posts", json={"text": "On my way to #lisbon"})
        answer = await bob.post("/posts", json={"text": "So is @ada"})
        self.draft_id = (await ada.post("/drafts", json={"text": "Off again"})).json()["id"]
        self.media_id = await upload(self.environment, ada, file_of(1000))
        medium = (await ada.get(f"/media/{self.media_id}")).json()
        self.file = medium["address"]["path"].removeprefix("/v1")
        shown = await upload(self.environment, ada, file_of(1000, seed=2))
        self.video_id = await upload(self.environment, ada, clip(seconds=0.5), "video/mp4")
        await ada.patch(f"/posts/{post.json()['id']}", json={"media": [{"id": shown}, {"id": self.video_id}]})
        addresses = (await ada.get(f"/posts/{post.json()['id']}/media")).json()["items"]
        self.post_file, self.public_file = f"{addresses[0]['path']}/24.webp", f"/public-media/{shown}/0/24.webp"
        self.post_stream = f"{addresses[1]['path']}/stream/master.m3u8"
        self.public_stream = f"/public-media/{self.video_id}/0/stream/master.m3u8"
        avatar = await upload(self.environment, ada, encoded(noise(100, 100), MediaType.JPEG))
        assert (await ada.put("/profiles/me/avatar", json={"id": avatar})).is_success
        self.profile_file = f"/profile-media/{avatar}/100.webp"
        told = await upload(self.environment, ada, file_of(1000, seed=3))
        story = (await ada.post("/stories", json={"media": {"id": told}})).json()
        self.story_id, self.story_file = story["id"], f"{story['media']['path']}/24.webp"
        told = await upload(self.environment, ada, clip(seconds=0.5), "video/mp4")
        moving = (await ada.post("/stories", json={"media": {"id": told}})).json()
        self.story_stream = f"{moving['media']['path']}/stream/master.m3u8"
        self.highlight_id = (await ada.post("/highlights", json={"title": "Lisbon"})).json()["id"]
        assert (await ada.put(f"/highlights/{self.highlight_id}/stories/{self.story_id}")).is_success
        self.bobs_story_id = (await bob.post("/stories", json={"text": "So am I"})).json()["id"]
        video = (await ada.get(f"/media/{self.video_id}/video")).json()
        self.stream = video["stream"]["path"].removeprefix("/v1")
        people = await bob.post("/lists", json={"name": "Climbing"})
        self.post_id, self.answer_id, self.list_id = [made.json()["id"] for made in (post, answer, people)]
        for author, parent in ((ada, None), (bob, None), (ada, 1)):
            body = {"text": "Well", "parent_id": None if parent is None else self.comment_ids[parent]}
            made = await author.post(f"/posts/{self.answer_id}/comments", json=body)
            self.comment_ids.append(made.json()["id"])
        await register_first_device(bob)
        self.conversation_id = (await bob.post("/conversations", json={"account_id": ada.id})).json()["id"]
        self.device_link_id = (await create_link(ada))[1]["id"]
        assert await close_due_epoch(self.environment.platform, self.environment.clock())
        link = (await bob.post(f"/posts/{self.post_id}/share-links", json={})).json()
        self.link_id, self.shared = link["id"], link["path"]
        reference = (await bob.post(f"/posts/{self.post_id}/references")).json()
        self.reference = f"/references/{reference['reference']}"
        self.collection_id = (await bob.post("/collections", json={"name": "Trips"})).json()["id"]
        ways += [
            await ada.patch(f"/posts/{self.post_id}", json={"text": "Home from #lisbon"}),
            await bob.put("/close-friends/ada"),
            await bob.put(f"/lists/{self.list_id}/members/ada"),
            await carol.put("/mutes/ada"),
            await ada.put(f"/posts/{self.answer_id}/reaction", json={"kind": "wow"}),
            await ada.put(f"/comments/{self.comment_ids[1]}/reaction", json={"kind": "wow"}),
            await bob.put(f"/collections/{self.collection_id}/posts/{self.post_id}"),
            await ada.put(f"/stories/{self.bobs_story_id}/view"),
            await self.people["eve"].put("/blocks/ada"),
        ]
        assert all(way.is_success for way in ways), [way.text for way in ways]
        await self.environment.drain()

    @property
    def rows(self) -> Mapping[str, ReadPath]:
        return read_paths(self.environment.brand.feature_names)

    def filled(self, request: str) -> str:
        """Returns a request of a row, with what it names."""
        return request.format(s=self)

    async def change(self, action: Action, actor: Actor) -> None:
        platform = self.environment.platform
        async with platform.database.unit_of_work() as uow:
            accounts = platform.service(AccountService)
            await accounts.change(uow, UUID(self.ada.id), action, actor, self.environment.clock())
            await uow.commit()

    async def states(self) -> AsyncIterator[AccountState]:
        """Takes ada through every state; from those that have a way back, back to the first."""
        yield AccountState.ACTIVE
        assert (await self.ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
        yield AccountState.DEACTIVATED
        await self.return_to_active()
        yield AccountState.ACTIVE
        await self.change(Action.SUSPEND, Actor.OPERATOR)
        yield AccountState.SUSPENDED
        await self.change(Action.END_SUSPENSION, Actor.OPERATOR)
        await self.return_to_active()
        yield AccountState.ACTIVE
        assert (await self.ada.post("/account/delete", json={"password": PASSWORD})).is_success
        yield AccountState.DELETING
        await self.return_to_active()
        yield AccountState.ACTIVE
        assert (await self.ada.post("/account/delete", json={"password": PASSWORD})).is_success
        self.environment.clock.advance(AccountPolicy().deletion_grace)
        for name in ("bob", "carol", "dan", "eve", "mia"):  # their tokens have expired meanwhile
            self.people[name].headers = (await self.environment.log_in(name)).headers
        await self.change(Action.ERASE, Actor.PLATFORM)
        yield AccountState.DELETED
        assert await erase_due_accounts(self.environment.platform) == 1
        yield AccountState.DELETED

    async def return_to_active(self) -> None:
        self.people["ada"] = await self.environment.log_in("ada")

    def shows_her(self, path: str, answer: httpx.Response) -> bool:
        body = answer.json()
        if path in ("/lists", "/lists/{list_id}"):  # shows how many people are on a list
            return bool((body["items"][0] if path == "/lists" else body)["members"])
        return _mentions(answer.json(), self.ada.id)


def _mentions(value: Any, account_id: str) -> bool:
    """Whether an account's id or its username, as a value of its own, is anywhere in a response."""
    if isinstance(value, dict):
        return any(_mentions(item, account_id) for item in value.values())
    if isinstance(value, list):
        return any(_mentions(item, account_id) for item in value)
    return value in (account_id, "ada")


def _same(one: httpx.Response, other: httpx.Response) -> bool:
    return one.status_code == other.status_code and _without_trace(one) == _without_trace(other)


def _without_trace(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "trace_id"}


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


@pytest.fixture
async def scenario(environment: Environment) -> Scenario:
    built = Scenario(environment)
    await built.build()
    return built


async def gets_of(environment: Environment) -> set[str]:
    """Returns the paths of the brand's document that have a GET, without the version."""
    document = await environment.document()
    return {path.removeprefix("/v1") for path, operations in document["paths"].items() if "get" in operations}


async def test_every_get_has_a_row(environment: Environment) -> None:
    rows = read_paths(environment.brand.feature_names)
    assert rows.keys() == await gets_of(environment), "a new GET: what may it show to whom?"
    for path, row in rows.items():
        assert bool(row.seen) != bool(row.request), path
        if row.tried is not None:
            text = (Path(__file__).parent / row.tried.module).read_text()
            assert "RELATIONS" in text or "StoryScenario" in text, f"{row.tried.module} goes over all relations"


async def test_every_state_on_every_get(scenario: Scenario) -> None:
    rows = scenario.rows
    unconcerned = [path for path, row in rows.items() if row.request]
    unchanged = {path: await _unconcerned(scenario, path) for path in unconcerned}
    seen = set()
    async for state in scenario.states():
        seen.add(state)
        active = state is AccountState.ACTIVE
        for path, row in rows.items():
            for name, request in row.seen:
                await _check_shown(scenario, path, name, scenario.filled(request), active=active)
        if state is not AccountState.DELETED:  # a month has passed by then, and bob has another session
            for path, before in unchanged.items():
                assert _same(await _unconcerned(scenario, path), before), (state, path)
        for path, row in rows.items():
            if row.address or not row.signed_in:
                continue
            answer = await scenario.ada.get(scenario.filled(row.own or row.request or row.seen[0][1]))
            assert (answer.status_code == 200) == active, (state, path)
            assert active or answer.json()["code"] in {"session_ended", "token_expired"}, (state, path)
    assert seen == set(AccountState)


async def _unconcerned(scenario: Scenario, path: str) -> httpx.Response:
    return await scenario.people["bob"].get(scenario.filled(scenario.rows[path].request))


async def _check_shown(scenario: Scenario, path: str, name: str, address: str, *, active: bool) -> None:
    reader = scenario.people[name]
    answer = await reader.get(address)
    hers = [
        scenario.post_id,
        scenario.story_id,
        scenario.highlight_id,
        scenario.conversation_id,
        scenario.ada.id,
        scenario.comment_ids[0],
        *scenario.requests,
    ]
    asks_for_her = "/ada" in address or address in scenario.files or any(id in address for id in hers)
    if active:
        assert answer.status_code == 200, (address, name)
        assert asks_for_her or scenario.shows_her(path, answer), (address, name)
    elif asks_for_her:
        for id in hers:
            address = address.replace(id, UNKNOWN)
        unknown = await reader.get(address.replace("/ada", "/nobody"))
        assert answer.status_code == 404
        assert _same(answer, unknown), (address, name)
    else:
        assert answer.status_code == 200, (address, name)
        assert not scenario.shows_her(path, answer), (address, name)


async def test_a_grace_period_that_is_over_is_no_way_back(scenario: Scenario) -> None:
    """Also before anything has been erased."""
    assert (await scenario.ada.post("/account/delete", json={"password": PASSWORD})).is_success
    scenario.environment.clock.advance(AccountPolicy().deletion_grace + timedelta(seconds=1))
    refused = await scenario.environment.client.post("/auth/log-in", json={"login": "ada", "password": PASSWORD})
    assert refused.status_code == 401
    assert (await scenario.people[ANONYMOUS].get("/profiles/ada")).status_code == 404
