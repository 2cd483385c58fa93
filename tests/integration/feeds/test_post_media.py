"""Images and videos of posts in feeds from memory: rendered once, with what the post has now."""

from datetime import timedelta
from typing import Any

from features.media.model import MediaType
from tests.integration.feeds.conftest import deliver
from tests.support.clips import clip
from tests.support.environment import Environment
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.uploads import append, begin, upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)


async def _feed(reader: Member) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await reader.get("/feed")).json()["items"]
    return items


async def test_a_video_in_memory_is_what_became_of_it(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    assert (await bob.put("/follows/ada")).is_success
    content = clip(seconds=1)
    path = await begin(ada, len(content), "video/mp4")
    assert (await append(ada, path, 0, content)).is_success
    await deliver(vignette, "media.processing")
    media = [{"id": path.removeprefix("/uploads/")}]
    assert (await ada.post("/posts", json={"text": "x", "media": media})).is_success
    for state, duration in (("processing", None), ("ready", 1000)):
        await _feed(bob)
        page = await bob.get("/feed")
        assert vignette.statements(page) == 0
        [item] = page.json()["items"]
        assert item["media"][0]["video"] == {"state": state, "duration_ms": duration}
        assert item == (await bob.get(f"/posts/{item['id']}")).json()
        await vignette.drain()


async def test_images_come_out_of_memory_as_at_the_address_of_their_post(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    assert (await bob.put("/follows/ada")).is_success
    posts = []
    for audience in ("public", "connections"):
        media = [{"id": await upload(vignette, ada, JPEG), "alt": audience}]
        vignette.clock.advance(timedelta(seconds=1))
        answer = await ada.post("/posts", json={"text": "x", "audience": audience, "media": media})
        assert answer.status_code == 201, answer.text
        posts.append(answer.json()["id"])
    await _feed(bob)
    page = await bob.get("/feed")
    assert vignette.statements(page) == 0
    assert [item["media"][0]["alt"] for item in page.json()["items"]] == ["connections", "public"]
    for reader in (ada, bob):
        shown = await _feed(reader)
        assert shown == [(await reader.get(f"/posts/{item['id']}")).json() for item in shown]
    assert (await ada.patch(f"/posts/{posts[0]}", json={"media": []})).status_code == 200
    assert (await ada.patch(f"/posts/{posts[1]}", json={"audience": "public"})).status_code == 200
    last, first = await _feed(bob)
    assert first["media"] == []
    assert last["media"][0]["path"].endswith("/1")
