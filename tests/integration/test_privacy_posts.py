"""Who may see which post, over every relationship, every audience and every endpoint that can show a post, on both
brands: HTTP responses agree with the specification (features/posts/privacy.py, `may_see`)."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from features.posts.model import Audience
from features.posts.privacy import Relationship, may_see
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.read_paths import Tried, read_paths

RELATIONS: dict[str, Relationship] = {
    "anonymous": Relationship(),
    "stranger": Relationship(),
    "connected": Relationship(connected=True),
    "friend_of_friend": Relationship(),
    "close_friend": Relationship(close_friend=True),
    "connected_close_friend": Relationship(connected=True, close_friend=True),
    "on_the_list": Relationship(on_list=True),
    "on_another_list": Relationship(),
    "followed_by_author": Relationship(),
    "blocked_by_author": Relationship(apart=True),
    "blocks_author": Relationship(apart=True),
    "self": Relationship(is_author=True),
}
UNKNOWN = "00000000-0000-7000-8000-000000000000"

Table = dict[str, dict[Audience, bool]]


async def _connect(environment: Environment, owner: Member, viewer: Member) -> None:
    """Bring the viewer into the owner's audience, the way the brand does it."""
    if "follows" in environment.brand.feature_names:
        answers = [await viewer.put(f"/follows/{owner.username}")]
    else:
        answers = [
            await viewer.post("/friends/requests", json={"username": owner.username}),
            await owner.post("/friends/requests", json={"username": viewer.username}),
        ]
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]


async def _list(author: Member, name: str, member: Member) -> str:
    answer = await author.post("/lists", json={"name": name})
    list_id: str = answer.json()["id"]
    assert (await author.put(f"/lists/{list_id}/members/{member.username}")).is_success
    return list_id


class Scenario:
    """An author with a post for every audience, and a reader for every relation."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.readers: dict[str, Member] = {}
        self.posts: dict[Audience, str] = {}
        self.comments: dict[Audience, str] = {}
        self.list_id = ""

    @property
    def author(self) -> Member:
        return self.readers["self"]

    async def build(self) -> None:
        """Creates everybody. The blocked readers had every connection before, so that only the block hides posts."""
        environment = self.environment
        for relation in RELATIONS:
            anonymous = relation == "anonymous"
            self.readers[relation] = environment.anonymous if anonymous else await environment.member(relation)
        author, readers = self.author, self.readers
        blocked = ["blocked_by_author", "blocks_author"]
        for relation in ["connected", "connected_close_friend", *blocked]:
            await _connect(environment, author, readers[relation])
        await _connect(environment, readers["connected"], readers["friend_of_friend"])
        if "follows" in environment.brand.feature_names:
            await _connect(environment, readers["followed_by_author"], author)
        self.list_id = await _list(author, "ours", readers["on_the_list"])
        await _list(author, "others", readers["on_another_list"])
        for relation in ["close_friend", "connected_close_friend", *blocked]:
            assert (await author.put(f"/close-friends/{relation}")).is_success
        for relation in blocked:
            assert (await author.put(f"/lists/{self.list_id}/members/{relation}")).is_success
        for audience in Audience:
            self.posts[audience] = await self.publish(audience)
            made = await author.post(f"/posts/{self.posts[audience]}/comments", json={"text": "mine"})
            self.comments[audience] = made.json()["id"]
        assert (await author.put("/blocks/blocked_by_author")).is_success
        assert (await readers["blocks_author"].put("/blocks/self")).is_success
        await environment.drain()

    async def publish(self, audience: Audience) -> str:
        list_id = self.list_id if audience is Audience.LIST else None
        body = {"text": f"first {audience} #table", "audience": audience, "list_id": list_id}
        answer = await self.author.post("/posts", json=body)
        assert answer.status_code == 201, answer.text
        path = f"/posts/{answer.json()['id']}"
        assert (await self.author.patch(path, json={"text": f"{audience} #table"})).status_code == 200
        return str(answer.json()["id"])

    async def table(self, sees: Callable[[Member, Audience], Awaitable[bool]]) -> dict[str, Table]:
        """What each reader sees of each audience, beside what the specification says."""
        return {
            "seen": {
                relation: {audience: await sees(reader, audience) for audience in Audience}
                for relation, reader in self.readers.items()
            },
            "specified": {
                relation: {audience: may_see(stands, audience) for audience in Audience}
                for relation, stands in RELATIONS.items()
            },
        }

    async def listed(self, answer: httpx.Response, audience: Audience) -> bool:
        return self.posts[audience] in {item["id"] for item in answer.json()["items"]}


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


@pytest.fixture
async def scenario(environment: Environment) -> Scenario:
    scenario = Scenario(environment)
    await scenario.build()
    return scenario


def _without_trace(answer: httpx.Response) -> dict[str, object]:
    return {name: value for name, value in answer.json().items() if name != "trace_id"}


async def test_posts_honour_their_audience(scenario: Scenario) -> None:
    """One scenario for all the checks that change nothing in it: building it is the slow part."""
    await _every_way_to_a_post(scenario)
    await _the_feed(scenario)
    await _a_hidden_post_answers_like_one_that_never_was(scenario)
    await _only_the_author_changes_a_post(scenario)
    await _whoever_sees_a_post_may_react_to_it(scenario)
    await _counts_give_away_nothing(scenario)
    await _whoever_sees_a_post_may_save_it(scenario)
    await _nobody_sees_a_post_while_its_author_is_suspended(scenario)


Way = Callable[[Member, Audience], Awaitable[bool]]


async def _every_way_to_a_post(scenario: Scenario) -> None:
    for path, way in (await _ways(scenario)).items():
        table = await scenario.table(way)
        assert table["seen"] == table["specified"], path


async def _ways(scenario: Scenario) -> dict[str, Way]:
    """Every path that can show a post, and whether it shows somebody the one of an audience."""

    async def history(reader: Member, audience: Audience) -> bool:
        answer = await reader.get(f"/posts/{scenario.posts[audience]}/history")
        texts = [item["text"] for item in answer.json().get("items", [])]
        assert texts in ([f"{audience} #table", f"first {audience} #table"], [])
        return bool(texts)

    async def profile(reader: Member, audience: Audience) -> bool:
        answer = await reader.get("/profiles/self/posts")
        return answer.status_code == 200 and await scenario.listed(answer, audience)

    async def hashtag(reader: Member, audience: Audience) -> bool:
        return await scenario.listed(await reader.get("/hashtags/table/posts"), audience)

    def answering(path: str) -> Way:
        async def answers(reader: Member, audience: Audience) -> bool:
            ids = {"post_id": scenario.posts[audience], "comment_id": scenario.comments[audience]}
            answer = await reader.get(path.format_map(ids))
            assert answer.status_code in {200, 404}
            return answer.status_code == 200

        return answers

    references = {
        audience: (await scenario.author.post(f"/posts/{post_id}/references")).json()["reference"]
        for audience, post_id in scenario.posts.items()
    }

    async def reference(reader: Member, audience: Audience) -> bool:
        answer = await reader.get(f"/references/{references[audience]}")
        if reader is scenario.readers["anonymous"]:
            assert answer.status_code == 401
            return audience is Audience.PUBLIC
        return answer.status_code == 200 and answer.json()["post"]["id"] == scenario.posts[audience]

    listing = {
        "/posts/{post_id}/history": history,
        "/profiles/{username}/posts": profile,
        "/hashtags/{tag}/posts": hashtag,
        "/references/{reference}": reference,
    }
    rows = read_paths(scenario.environment.brand.feature_names)
    answers = {path: answering(path) for path, row in rows.items() if row.tried is Tried.ANSWERS}
    assert listing.keys() == {path for path, row in rows.items() if row.tried is Tried.LISTS}
    return {**listing, **answers}


async def _nobody_sees_a_post_while_its_author_is_suspended(scenario: Scenario) -> None:
    """Whatever the audience. (The predicate is the same for all states that are not active, test_every_get.py.)"""
    environment, ways = scenario.environment, await _ways(scenario)
    await environment.suspend(scenario.author)
    await environment.drain()
    for relation in ("stranger", "connected_close_friend", "on_the_list"):
        reader = scenario.readers[relation]
        for path, way in ways.items():
            assert not [audience for audience in Audience if await way(reader, audience)], (relation, path)
        feed = await reader.get("/feed")
        assert not [audience for audience in Audience if await scenario.listed(feed, audience)], relation
    anonymous = scenario.readers["anonymous"]
    for path, way in ways.items():
        if path != "/references/{reference}":  # which nobody may ask for without signing in
            assert not await way(anonymous, Audience.PUBLIC), path


async def _the_feed(scenario: Scenario) -> None:
    for relation, stands in RELATIONS.items():
        if relation == "anonymous":
            continue
        feed = await scenario.readers[relation].get("/feed")
        assert feed.status_code == 200
        tied = stands.is_author or stands.connected
        shown = {audience for audience in Audience if await scenario.listed(feed, audience)}
        assert shown == {audience for audience in Audience if tied and may_see(stands, audience)}, relation


async def _a_hidden_post_answers_like_one_that_never_was(scenario: Scenario) -> None:
    for relation, stands in RELATIONS.items():
        reader = scenario.readers[relation]
        for audience in Audience:
            if may_see(stands, audience):
                continue
            for suffix in (
                "",
                "/history",
                "/history?limit=1",
                "/reactions",
                "/reposts",
                "/quotes",
                "/reactions?kind=love",
                "/comments",
                "/commenters",
            ):
                hidden = await reader.get(f"/posts/{scenario.posts[audience]}{suffix}")
                unknown = await reader.get(f"/posts/{UNKNOWN}{suffix}")
                assert hidden.status_code == unknown.status_code == 404
                assert _without_trace(hidden) == _without_trace(unknown)


async def _only_the_author_changes_a_post(scenario: Scenario) -> None:
    for relation, stands in RELATIONS.items():
        if stands.is_author:
            continue
        reader = scenario.readers[relation]
        for audience in Audience:
            expected = 401 if relation == "anonymous" else 403 if may_see(stands, audience) else 404
            path = f"/posts/{scenario.posts[audience]}"
            changed = await reader.patch(path, json={"text": "mine now"})
            deleted = await reader.delete(path)
            assert (changed.status_code, deleted.status_code) == (expected, expected), (relation, audience)


async def _whoever_sees_a_post_may_react_to_it(scenario: Scenario) -> None:
    """And comment on it, and react to comments."""
    for relation, stands in RELATIONS.items():
        reader = scenario.readers[relation]
        for audience in Audience:
            sees = 200 if may_see(stands, audience) else 404
            path = f"/posts/{scenario.posts[audience]}/reaction"
            put = await reader.put(path, json={"kind": "love"})
            removed = await reader.delete(path)
            expected = (401, 401) if relation == "anonymous" else (sees, 204 if sees == 200 else 404)
            assert (put.status_code, removed.status_code) == expected, (relation, audience)
            comment = await reader.post(f"/posts/{scenario.posts[audience]}/comments", json={"text": "hm"})
            reaction = await reader.put(f"/comments/{scenario.comments[audience]}/reaction", json={"kind": "love"})
            expected = (401, 401) if relation == "anonymous" else (201 if sees == 200 else 404, sees)
            assert (comment.status_code, reaction.status_code) == expected, (relation, audience)


async def _whoever_sees_a_post_may_save_it(scenario: Scenario) -> None:
    """And nobody else; nor does a saved post tell more than the post."""
    for relation, stands in RELATIONS.items():
        reader = scenario.readers[relation]
        for audience in Audience:
            saved = await reader.put(f"/saved-posts/{scenario.posts[audience]}")
            found = await reader.get(f"/saved-posts/{scenario.posts[audience]}")
            expected = 401 if relation == "anonymous" else 200 if may_see(stands, audience) else 404
            assert (saved.status_code, found.status_code) == (expected, expected), (relation, audience)
            if expected == 404:
                unknown = await reader.put(f"/saved-posts/{UNKNOWN}"), await reader.get(f"/saved-posts/{UNKNOWN}")
                assert [_without_trace(each) for each in unknown] == [_without_trace(saved), _without_trace(found)]
        if relation != "anonymous":
            listed = await reader.get("/saved-posts")
            shown = {audience for audience in Audience if await scenario.listed(listed, audience)}
            assert shown == {audience for audience in Audience if may_see(stands, audience)}, relation


async def _counts_give_away_nothing(scenario: Scenario) -> None:
    for reader in scenario.readers.values():
        assert (await reader.get("/hashtags/table")).json()["posts"] == 1


async def test_an_audience_follows_the_ties_as_they_change(environment: Environment) -> None:
    author, reader = await environment.member("ada"), await environment.member("bob")
    list_id = await _list(author, "ours", reader)
    posts = {}
    for audience in (Audience.CLOSE_FRIENDS, Audience.LIST, Audience.CONNECTIONS):
        body = {"text": "x", "audience": audience, "list_id": list_id if audience is Audience.LIST else None}
        posts[audience] = f"/posts/{(await author.post('/posts', json=body)).json()['id']}"

    async def seen() -> set[Audience]:
        return {audience for audience, path in posts.items() if (await reader.get(path)).status_code == 200}

    assert await seen() == {Audience.LIST}
    assert (await author.put("/close-friends/bob")).is_success
    assert await seen() == {Audience.LIST, Audience.CLOSE_FRIENDS}
    await _connect(environment, author, reader)
    assert await seen() == set(posts)
    assert (await author.delete("/close-friends/bob")).is_success
    assert await seen() == {Audience.LIST, Audience.CONNECTIONS}
    assert (await author.delete(f"/lists/{list_id}/members/bob")).is_success
    assert await seen() == {Audience.CONNECTIONS}
    assert (await reader.put("/blocks/ada")).is_success
    assert await seen() == set()


async def test_a_deleted_list_leaves_its_posts_to_their_author(environment: Environment) -> None:
    author, reader = await environment.member("ada"), await environment.member("bob")
    list_id = await _list(author, "ours", reader)
    post = await author.post("/posts", json={"text": "x", "audience": "list", "list_id": list_id})
    path = f"/posts/{post.json()['id']}"
    assert (await reader.get(path)).status_code == 200
    assert (await author.delete(f"/lists/{list_id}")).status_code == 204
    assert (await reader.get(path)).status_code == 404
    kept = await author.get(path)
    assert (kept.status_code, kept.json()["list_id"]) == (200, None)
    edited = await author.patch(path, json={"text": "still mine"})
    assert (edited.status_code, edited.json()["audience"]) == (200, "list")
