"""Every GET of the OpenAPI documents while an account is in each of its states: what others see of it, and what its
owner's tokens are still good for. A GET that is new to a document needs an entry here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
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
from tests.support.uploads import upload

UNKNOWN = "00000000-0000-7000-8000-000000000000"
ANONYMOUS = "anonymous"
FILE = "/media-files/{token}/{name}"
POST_FILE = "/post-media/{token}/{name}"
PUBLIC_FILE = "/public-media/{media_id}/{epoch}/{name}"
STORY_FILE = "/story-media/{token}/{name}"
PROFILE_FILE = "/profile-media/{media_id}/{name}"
STORY_STREAM = "/story-media/{token}/stream/{name}"
STREAM = "/media-files/{token}/stream/{name}"
POST_STREAM = "/post-media/{token}/stream/{name}"
PUBLIC_STREAM = "/public-media/{media_id}/{epoch}/stream/{name}"
ADDRESSES = {FILE, STREAM, POST_FILE, POST_STREAM, PUBLIC_FILE, PUBLIC_STREAM, STORY_FILE, STORY_STREAM, PROFILE_FILE}
NOT_SIGNED_IN = {"/health/live", "/health/ready", "/.well-known/jwks.json"}
"""They take no access token."""


class Scenario:
    """Ada, whose state changes, and people who have to do with her: bob is connected with her and has her in all his
    sets, carol has a request of hers, dan has sent her one, eve has blocked her, mia is a stranger."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.people: dict[str, Member] = {ANONYMOUS: environment.anonymous}
        self.post_file = self.public_file = self.story_file = self.story_id = ""
        self.post_id = self.answer_id = self.list_id = self.media_id = self.file = self.draft_id = ""
        self.collection_id = self.bobs_story_id = self.highlight_id = self.link_id = self.shared = ""
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
            *(self.story_file, self.story_stream, self.shared, self.profile_file),
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

    def shown(self) -> dict[str, list[tuple[str, str]]]:
        """The GETs that can show ada, each with who sees her there and by which request. Her name or the id of her post
        is in the path, or she is in what is listed."""
        everybody = [ANONYMOUS, "mia", "bob"]
        bobs_list = f"/lists/{self.list_id}/members"
        entries = {
            "/profiles/{username}": [(name, "/profiles/ada") for name in everybody],
            "/people/{person_id}": [(name, f"/people/{self.ada.id}") for name in everybody],
            "/people/{person_id}/keys": [(name, f"/people/{self.ada.id}/keys") for name in ("mia", "bob")],
            "/profiles/{username}/posts": [(name, "/profiles/ada/posts") for name in everybody],
            "/posts/{post_id}": [
                *((name, f"/posts/{self.post_id}") for name in everybody),
                *((name, f"/posts/{self.answer_id}") for name in everybody),
            ],
            "/posts/{post_id}/comments": [(name, f"/posts/{self.answer_id}/comments") for name in everybody],
            "/posts/{post_id}/commenters": [(name, f"/posts/{self.post_id}/commenters") for name in everybody],
            "/comments/{comment_id}": [(name, f"/comments/{self.comment_ids[0]}") for name in everybody],
            "/comments/{comment_id}/replies": [
                (name, f"/comments/{self.comment_ids[1]}/replies") for name in everybody
            ],
            "/comments/{comment_id}/reactions": [
                (name, f"/comments/{self.comment_ids[1]}/reactions") for name in everybody
            ],
            "/posts/{post_id}/reactions": [(name, f"/posts/{self.answer_id}/reactions") for name in everybody],
            "/posts/{post_id}/reposts": [(name, f"/posts/{self.post_id}/reposts") for name in everybody],
            "/posts/{post_id}/quotes": [(name, f"/posts/{self.post_id}/quotes") for name in everybody],
            "/posts/{post_id}/history": [(name, f"/posts/{self.post_id}/history") for name in everybody],
            "/hashtags/{tag}/posts": [(name, "/hashtags/lisbon/posts") for name in everybody],
            "/feed": [("bob", "/feed")],
            "/shared/{token}": [(name, self.shared) for name in everybody],
            "/saved-posts": [("bob", "/saved-posts")],
            "/saved-posts/{post_id}": [("bob", f"/saved-posts/{self.post_id}")],
            "/collections/{collection_id}/posts": [("bob", f"/collections/{self.collection_id}/posts")],
            "/posts/{post_id}/media": [(name, f"/posts/{self.post_id}/media") for name in everybody],
            POST_FILE: [(name, self.post_file) for name in everybody],
            POST_STREAM: [(name, self.post_stream) for name in everybody],
            PUBLIC_FILE: [(name, self.public_file) for name in everybody],
            PUBLIC_STREAM: [(name, self.public_stream) for name in everybody],
            "/stories/{story_id}": [(name, f"/stories/{self.story_id}") for name in everybody],
            "/stories/{story_id}/viewers": [("bob", f"/stories/{self.bobs_story_id}/viewers")],
            "/highlights/{highlight_id}": [(name, f"/highlights/{self.highlight_id}") for name in everybody],
            "/highlights/{highlight_id}/stories": [
                (name, f"/highlights/{self.highlight_id}/stories") for name in everybody
            ],
            "/profiles/{username}/highlights": [(name, "/profiles/ada/highlights") for name in everybody],
            "/stories/rings": [("bob", "/stories/rings")],
            "/profiles/{username}/stories": [(name, "/profiles/ada/stories") for name in everybody],
            PROFILE_FILE: [(name, self.profile_file) for name in everybody],
            STORY_FILE: [(name, self.story_file) for name in everybody],
            STORY_STREAM: [(name, self.story_stream) for name in everybody],
            FILE: [(name, self.file) for name in everybody],  # whoever has the address
            STREAM: [(name, self.stream) for name in everybody],
            "/conversations": [("bob", "/conversations")],
            "/conversations/{conversation_id}": [("bob", f"/conversations/{self.conversation_id}")],
            "/blocks": [("eve", "/blocks")],
            "/mutes": [("carol", "/mutes")],
            "/close-friends": [("bob", "/close-friends")],
            "/lists": [("bob", "/lists")],
            "/lists/{list_id}": [("bob", f"/lists/{self.list_id}")],
            "/lists/{list_id}/members": [("bob", bobs_list)],
        }
        if self.friends:
            entries |= {
                "/friends": [("bob", "/friends")],
                "/friends/requests": [
                    ("carol", "/friends/requests?direction=incoming"),
                    ("dan", "/friends/requests?direction=outgoing"),
                ],
                "/friends/requests/{request_id}": [
                    (name, f"/friends/requests/{request}")
                    for name, request in zip(("bob", "bob", "carol", "dan"), self.requests, strict=True)
                ],
            }
        else:
            entries |= {
                "/profiles/{username}/followers": [
                    ("mia", "/profiles/bob/followers"),
                    ("mia", "/profiles/ada/followers"),
                ],
                "/profiles/{username}/following": [
                    ("mia", "/profiles/bob/following"),
                    ("mia", "/profiles/ada/following"),
                ],
            }
        return entries

    def unconcerned(self) -> dict[str, str]:
        """The other GETs, which show no other account: what bob gets there is the same in every state."""
        return {
            "/profiles/me": "/profiles/me",
            "/auth/sessions": "/auth/sessions",
            "/auth/audit": "/auth/audit",
            "/devices": "/devices",
            "/devices/{number}": "/devices/1",
            "/messaging/inbox": "/messaging/inbox",
            "/device-links": "/device-links",
            # Hers: he is told that there is no such link.
            "/device-links/{link_id}": f"/device-links/{self.device_link_id}",
            "/prekeys": "/prekeys",
            "/key-packages": "/key-packages",
            "/backup": "/backup",
            "/backup/segments/{digest}": f"/backup/segments/{'0' * 64}",
            "/attachments/{attachment_id}": f"/attachments/{UUID(int=0)}",
            "/attachments/{attachment_id}/content": f"/attachments/{UUID(int=0)}/content",
            "/key-directory": "/key-directory",
            "/key-directory/consistency": "/key-directory/consistency?old_size=1&size=1",
            "/key-directory/epochs": "/key-directory/epochs?first=0&size=1",
            "/settings": "/settings",
            "/settings/schema": "/settings/schema",
            "/comment-filters": "/comment-filters",
            "/hashtags/{tag}": "/hashtags/lisbon",
            "/media": "/media",
            "/collections": "/collections",
            "/collections/{collection_id}": f"/collections/{self.collection_id}",
            "/share-links": "/share-links",
            "/share-links/{link_id}": f"/share-links/{self.link_id}",
            "/drafts": "/drafts",
            "/stories/archive": "/stories/archive",
            # Hers: he is told that there is no such draft.
            "/drafts/{draft_id}": f"/drafts/{self.draft_id}",
            # Hers: he is told that there is no such medium.
            "/media/{media_id}": f"/media/{self.media_id}",
            "/media/{media_id}/content": f"/media/{self.media_id}/content",
            "/media/{media_id}/video": f"/media/{self.video_id}/video",
            "/account/export": "/account/export",
            "/account/export/content": "/account/export/content",
            **{path: f"http://test{path}" for path in NOT_SIGNED_IN},
        }

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


async def test_every_state_on_every_get(scenario: Scenario) -> None:
    document = (await scenario.environment.client.get("http://test/openapi.json")).json()
    gets = {path.removeprefix("/v1") for path, operations in document["paths"].items() if "get" in operations}
    assert scenario.shown().keys() | scenario.unconcerned().keys() == gets
    unchanged = {path: await _unconcerned(scenario, path) for path in scenario.unconcerned()}
    seen = set()
    async for state in scenario.states():
        seen.add(state)
        active = state is AccountState.ACTIVE
        for path, requests in scenario.shown().items():
            for name, address in requests:
                await _check_shown(scenario, path, name, address, active=active)
        if state is not AccountState.DELETED:  # a month has passed by then, and bob has another session
            for path, before in unchanged.items():
                assert _same(await _unconcerned(scenario, path), before), (state, path)
        for path in gets - NOT_SIGNED_IN - ADDRESSES:
            answer = await scenario.ada.get(_address(scenario, path))
            assert (answer.status_code == 200) == active, (state, path)
            assert active or answer.json()["code"] in {"session_ended", "token_expired"}, (state, path)
    assert seen == set(AccountState)


def _address(scenario: Scenario, path: str) -> str:
    """Returns a request that ada can make for a path."""
    if path.startswith("/lists/{list_id}"):
        return "/lists"  # she has none of her own
    if path == "/stories/{story_id}/viewers":
        return f"/stories/{scenario.story_id}/viewers"  # of hers, not of bob's
    if path.startswith(("/collections/{collection_id}", "/saved-posts/{post_id}", "/share-links/{link_id}")):
        return "/collections"  # nor has she saved a post, or made a link
    if path in ("/devices/{number}", "/messaging/inbox", "/prekeys", "/key-packages", "/device-links/{link_id}"):
        return "/devices"  # nor has she a device, or a link after some time
    if path == "/backup/segments/{digest}":
        return "/backup"  # which has none
    if path.startswith("/attachments/"):
        return "/devices"  # nor has she uploaded an attachment
    if path.startswith("/account/export"):
        return "/profiles/me"  # nor has she an export
    return scenario.unconcerned().get(path) or scenario.shown()[path][0][1]


async def _unconcerned(scenario: Scenario, path: str) -> httpx.Response:
    return await scenario.people["bob"].get(scenario.unconcerned()[path])


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
