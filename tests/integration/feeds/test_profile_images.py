"""Avatars in feeds from memory, which render a post once for all readers."""

from features.media.model import MediaType
from tests.support.environment import Environment
from tests.support.hostile_images import encoded, noise
from tests.support.uploads import upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)


async def test_posts_in_memory_show_the_present_avatar(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    assert (await bob.put("/follows/ada")).is_success
    shared = (await eve.post("/posts", json={"text": "x"})).json()["id"]
    assert (await ada.post("/posts", json={"text": "Look", "quoted_id": shared})).is_success
    await bob.get("/feed")
    for person in (ada, eve):
        images = [await upload(vignette, person, JPEG) for _ in range(2)]
        for media_id in (*images, None):
            if media_id is None:
                assert (await person.delete("/profiles/me/avatar")).is_success
            else:
                assert (await person.put("/profiles/me/avatar", json={"id": media_id})).is_success
            for first in (True, False):
                page = await bob.get("/feed")
                [post] = page.json()["items"]
                author = post["author"] if person is ada else post["shared"]["post"]["author"]
                assert (author["avatar"] or {}).get("path") == (f"/profile-media/{media_id}" if media_id else None)
                assert first or vignette.statements(page) == 0
