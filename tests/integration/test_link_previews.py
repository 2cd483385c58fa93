"""Previews of the pages that posts link to, over HTTP and with consumers; the web is a listener of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from cluster.web import PublicNetwork
from features.posts.policy import PostPolicy
from tests.integration.test_web import Internet, Listener, Names, _listening, _page, _redirect
from tests.support.environment import Environment
from tests.support.member import Member

LINK = "http://public.example/lisbon"
PREVIEW = {"url": LINK, "title": "Lisbon", "description": "Seven hills", "site_name": None}
PAGE = _page(b"<title>Lisbon</title><meta name=description content='Seven hills'>")


@pytest.fixture
async def web(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listener]:
    """What the consumers reach at public addresses."""
    async with _listening() as listener:
        names = Names({"public.example": [["93.184.215.14"]]})
        monkeypatch.setattr(
            "features.posts.feature.PublicNetwork", lambda: PublicNetwork(names.resolve, Internet(listener))
        )
        yield listener


async def _publish(author: Member, text: str, **more: Any) -> dict[str, Any]:
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _link(reader: Member, post: dict[str, Any]) -> dict[str, Any] | None:
    """The preview that the reader sees, the same wherever the post is."""
    found = (await reader.get(f"/posts/{post['id']}")).json()
    assert found in (await reader.get(f"/profiles/{post['author']['username']}/posts")).json()["items"]
    link: dict[str, Any] | None = found["link"]
    return link


async def test_a_preview_comes_after_publication_and_goes_with_the_link(web: Listener, entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    web.answers["/lisbon"] = PAGE
    post = await _publish(ada, f"Look, {LINK}!")
    quote = await _publish(bob, "Indeed", quoted_id=post["id"])
    assert post["link"] is None
    await entativa.drain()
    assert await _link(entativa.anonymous, post) == PREVIEW
    assert (await bob.get(f"/posts/{quote['id']}")).json()["shared"]["post"]["link"] == PREVIEW
    path = f"/posts/{post['id']}"
    assert (await ada.patch(path, json={"content_warning": "City"})).json()["link"] == PREVIEW
    assert (await ada.patch(path, json={"text": "No link any more"})).json()["link"] is None
    await entativa.drain()
    assert await _link(ada, post) is None
    await ada.patch(path, json={"text": LINK})
    await entativa.drain()
    assert await _link(ada, post) == PREVIEW
    await ada.delete(path)
    assert await entativa.platform.database.pool.fetchval("select count(*) from posts where link is not null") == 0


async def test_posts_with_one_link_share_what_was_fetched_last(web: Listener, entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    web.answers["/lisbon"] = PAGE
    first = await _publish(ada, LINK)
    await entativa.drain()
    second = await _publish(bob, LINK, audience="only_me")
    await entativa.drain()
    assert len(web.requests) == 1
    assert await _link(bob, second) == await _link(ada, first) == PREVIEW
    web.answers["/lisbon"] = PAGE.replace(b"<title>Lisbon", b"<title>Porto")
    entativa.clock.advance(PostPolicy().link_refresh_after + timedelta(seconds=1))
    ada, bob = await entativa.log_in("ada"), await entativa.log_in("bob")
    await _publish(ada, LINK)
    await entativa.drain()
    assert len(web.requests) == 2
    for reader, post in ((ada, first), (bob, second)):
        assert await _link(reader, post) == {**PREVIEW, "title": "Porto"}
    assert (await ada.get(f"/posts/{second['id']}")).status_code == 404


async def test_a_page_that_is_gone_leaves_the_previews_it_gave(web: Listener, entativa: Environment) -> None:
    ada = await entativa.member("ada")
    web.answers["/lisbon"] = PAGE
    before = await _publish(ada, LINK)
    await entativa.drain()
    del web.answers["/lisbon"]
    entativa.clock.advance(PostPolicy().link_refresh_after + timedelta(seconds=1))
    ada = await entativa.log_in("ada")
    for requests in (2, 2):
        after = await _publish(ada, LINK)
        await entativa.drain()
        assert await _link(ada, after) is None
        assert await _link(ada, before) == PREVIEW
        assert len(web.requests) == requests, "not asked again so soon"


async def test_a_link_to_the_inside_is_never_connected_to(web: Listener, entativa: Environment) -> None:
    ada = await entativa.member("ada")
    async with _listening() as inside:
        web.answers["/lisbon"] = _redirect(f"http://127.0.0.1:{inside.port}/")
        for link in (LINK, f"http://127.0.0.1:{inside.port}/", f"http://localhost:{inside.port}/", "http://[::1]/"):
            post = await _publish(ada, link)
            await entativa.drain()
            assert await _link(ada, post) is None
        assert inside.connections == 0
    assert await entativa.platform.database.pool.fetchval("select count(*) from event_dead_letters") == 0


async def test_a_feed_shows_a_preview_once_it_is_there(web: Listener, entativa: Environment) -> None:
    ada = await entativa.member("ada")
    web.answers["/lisbon"] = PAGE
    await _publish(ada, LINK)
    assert (await ada.get("/feed")).json()["items"][0]["link"] is None
    await entativa.drain()
    assert (await ada.get("/feed")).json()["items"][0]["link"] == PREVIEW
