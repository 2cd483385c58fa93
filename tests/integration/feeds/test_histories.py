"""The feed from memory compared with the feed from Postgres, over random histories."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from features.feed.policy import FeedPolicy
from tests.integration.feeds.conftest import deliver
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

NAMES = ("ada", "bob", "eve", "mia", "tom")
AUDIENCES = ("public", "public", "connections", "close_friends", "list", "only_me")


TINY = FeedPolicy(max_posts=6, max_blocks=0, max_lists=0, high_fan_out_above=2, fan_out_batch=2)


@pytest.fixture(params=[FeedPolicy(), TINY], ids=["usual", "tiny"])
def feed_policy(request: pytest.FixtureRequest) -> FeedPolicy:
    """The second: every timeline is short and keeps no blocks and lists, and every author with three readers has a high
    fan-out."""
    policy: FeedPolicy = request.param
    return policy


class RandomHistory:
    """People who do things to each other and to their posts, chosen by a seed."""

    def __init__(self, environment: Environment, seed: int) -> None:
        self.environment = environment
        self.chance = random.Random(seed)
        self.people: list[Member] = []
        self.posts: list[tuple[Member, str]] = []
        self.lists: list[tuple[Member, str]] = []
        self.away: list[Member] = []
        """Those who have deactivated their accounts."""

    async def settle(self) -> None:
        self.people = [await self.environment.member(name) for name in NAMES]
        for viewer in self.people:
            for owner in self.people:
                if viewer is not owner:
                    await viewer.put(f"/follows/{owner.username}")
        for person in self.people:
            answer = await person.post("/lists", json={"name": "mine"})
            self.lists.append((person, answer.json()["id"]))

    async def act(self) -> str:
        """Something happens. It may be refused: a block is in the way, a post or a list is gone."""
        self.environment.clock.advance(timedelta(milliseconds=self.chance.choice((0, 1, 40))))
        one = self.chance.choice([person for person in self.people if person not in self.away])
        other = self.chance.choice([person for person in self.people if person is not one])
        name = other.username
        acts: list[tuple[int, str, Callable[[], Awaitable[Any]]]] = [
            (12, "post", lambda: self._post(one, name)),
            (4, "edit", self._edit),
            (3, "delete", self._delete),
            (3, "follow", lambda: one.put(f"/follows/{name}")),
            (2, "unfollow", lambda: one.delete(f"/follows/{name}")),
            (1, "block", lambda: one.put(f"/blocks/{name}")),
            (2, "unblock", lambda: one.delete(f"/blocks/{name}")),
            (1, "mute", lambda: one.put(f"/mutes/{name}")),
            (2, "unmute", lambda: one.delete(f"/mutes/{name}")),
            (2, "close", lambda: one.put(f"/close-friends/{name}")),
            (1, "not close", lambda: one.delete(f"/close-friends/{name}")),
            (3, "list", lambda: self._on_list(name, "PUT")),
            (1, "unlist", lambda: self._on_list(name, "DELETE")),
            (1, "no list", self._delete_list),
            (2, "leave", lambda: self._leave(one)),
            (3, "return", self._return),
            (1, "rename", lambda: one.patch("/profiles/me", json={"name": f"{one.username} {self.chance.random()}"})),
        ]
        _, what, act = self.chance.choices(acts, [weight for weight, _, _ in acts])[0]
        await act()
        return f"{one.username} {what} {name}"

    def _audience(self, author: Member) -> dict[str, Any]:
        audience = self.chance.choice(AUDIENCES)
        own = [list_id for owner, list_id in self.lists if owner is author]
        if audience == "list" and own:
            return {"audience": audience, "list_id": own[0]}
        return {"audience": "public" if audience == "list" else audience}

    async def _post(self, author: Member, mentioned: str) -> None:
        text = f"{len(self.posts)}" + (f" with @{mentioned}" if self.chance.random() < 0.3 else "")
        answer = await author.post("/posts", json={"text": text, **self._audience(author)})
        assert answer.status_code == 201, answer.text
        self.posts.append((author, answer.json()["id"]))

    async def _edit(self) -> None:
        if self.posts:
            author, post_id = self.chance.choice(self.posts)
            change = self._audience(author) if self.chance.random() < 0.6 else {"text": f"{self.chance.random()}"}
            await author.patch(f"/posts/{post_id}", json=change)

    async def _delete(self) -> None:
        if self.posts:
            author, post_id = self.posts.pop(self.chance.randrange(len(self.posts)))
            gone = await author.delete(f"/posts/{post_id}")
            assert gone.status_code == (401 if author in self.away else 204)

    async def _leave(self, one: Member) -> None:
        if len(self.away) < 2:
            assert (await one.post("/account/deactivate", json={"password": PASSWORD})).status_code == 204
            self.away.append(one)

    async def _return(self) -> None:
        """Logs somebody in again. Readers see that as late as they see posts; that somebody left, they see at once."""
        if self.away:
            one = self.away.pop(self.chance.randrange(len(self.away)))
            one.headers = (await self.environment.log_in(one.username)).headers
            await deliver(self.environment, "feeds.account_state")

    async def _on_list(self, name: str, method: str) -> None:
        if self.lists:
            owner, list_id = self.chance.choice(self.lists)
            if owner.username != name:
                await owner.request(method, f"/lists/{list_id}/members/{name}")

    async def _delete_list(self) -> None:
        if len(self.lists) > 2:
            owner, list_id = self.lists.pop(self.chance.randrange(len(self.lists)))
            gone = await owner.delete(f"/lists/{list_id}")
            assert gone.status_code == (401 if owner in self.away else 204)

    async def compare(self, actions: list[str]) -> None:
        """Everybody's feed, page by page, both ways. An unknown query parameter takes the way to Postgres."""
        for reader in self.people:
            if reader in self.away:
                continue
            limit = self.chance.choice((1, 3, 50))
            cursor = None
            for _ in range(3):
                query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
                memory = await reader.get("/feed", params=query)
                sql = await reader.get("/feed", params=query | {"from": "postgres"})
                assert memory.status_code == sql.status_code == 200
                assert memory.json() == sql.json(), (reader.username, query, actions)
                cursor = memory.json()["next_cursor"]
                if cursor is None:
                    break


@pytest.mark.parametrize("seed", [1, 2])
async def test_memory_shows_what_postgres_shows(vignette: Environment, seed: int) -> None:
    history = RandomHistory(vignette, seed)
    await history.settle()
    actions: list[str] = []
    for step in range(60):
        actions.append(await history.act())
        if step % 4 == 3:
            await history.compare(actions[-8:])
