"""Avatars and covers: what can be shown, where it is shown, and until when its files can be read."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.accounts.erasure import erase_due_accounts
from features.accounts.policy import AccountPolicy
from features.auth.service import AuthService
from features.life_cycle import export_account
from features.media.model import MediaType
from features.media.policy import MediaPolicy
from tests.support.clips import clip
from tests.support.environment import PASSWORD, Environment
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.uploads import append, begin, stored, sweep, upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)
UNKNOWN = "00000000-0000-7000-8000-000000000000"
AVATAR, COVER = "/profiles/me/avatar", "/profiles/me/cover"


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


async def _status(environment: Environment, image: dict[str, Any] | None, name: str = "320.webp") -> int:
    assert image is not None
    return (await environment.anonymous.get(f"{image['path']}/{name}")).status_code


async def _put(member: Member, path: str, **body: Any) -> dict[str, Any]:
    answer = await member.put(path, json=body)
    assert answer.status_code == 200, answer.text
    profile: dict[str, Any] = answer.json()
    return profile


async def _ways(environment: Environment, ada: Member, bob: Member) -> dict[str, Callable[[Any], Any]]:
    """Returns what bob reads that shows ada, each with where she is in it. She is in every kind of list."""
    post = (await ada.post("/posts", json={"text": "Hello #world"})).json()
    assert (await ada.put(f"/posts/{post['id']}/reaction", json={"kind": "love"})).is_success
    comment = (await ada.post(f"/posts/{post['id']}/comments", json={"text": "Well"})).json()
    reply = (await ada.post(f"/posts/{post['id']}/comments", json={"text": "So", "parent_id": comment["id"]})).json()
    own = (await bob.post("/posts", json={"text": "Mine"})).json()
    assert (await ada.put(f"/posts/{own['id']}/repost")).is_success
    quote = (await bob.post("/posts", json={"text": "Look", "quoted_id": post["id"]})).json()
    assert (await ada.post("/posts", json={"text": "Indeed", "quoted_id": own["id"]})).is_success
    story = (await ada.post("/stories", json={"text": "Good morning"})).json()
    told = (await bob.post("/stories", json={"text": "Good night"})).json()
    assert (await ada.put(f"/stories/{told['id']}/view")).is_success
    highlight = (await ada.post("/highlights", json={"title": "Lisbon"})).json()
    assert (await ada.put(f"/highlights/{highlight['id']}/stories/{story['id']}")).is_success
    people = (await bob.post("/lists", json={"name": "Climbing"})).json()
    for path in (f"/lists/{people['id']}/members/ada", "/close-friends/ada", f"/saved-posts/{post['id']}"):
        assert (await bob.put(path)).is_success
    link = (await bob.post(f"/posts/{post['id']}/share-links", json={})).json()

    def itself(body: Any) -> Any:
        return body

    def author(body: Any) -> Any:
        return body["author"]

    def person(body: Any) -> Any:
        return body["items"][0]["person"]

    def first(body: Any) -> Any:
        return next(item["author"] for item in body["items"] if item["author"]["id"] == ada.id)

    ways = {
        "/profiles/ada": itself,
        f"/people/{ada.id}": itself,
        f"/posts/{post['id']}": author,
        f"/posts/{quote['id']}": lambda body: body["shared"]["post"]["author"],
        "/profiles/ada/posts": first,
        "/hashtags/world/posts": first,
        "/saved-posts": first,
        "/feed": first,
        link["path"]: lambda body: body["author"],
        f"/posts/{post['id']}/comments": first,
        f"/comments/{comment['id']}": author,
        f"/comments/{comment['id']}/replies": first,
        f"/comments/{reply['id']}": author,
        f"/posts/{post['id']}/reactions": person,
        f"/posts/{own['id']}/reposts": person,
        f"/posts/{own['id']}/quotes": first,
        f"/stories/{story['id']}": author,
        "/profiles/ada/stories": first,
        "/stories/rings": person,
        f"/stories/{told['id']}/viewers": person,
        f"/highlights/{highlight['id']}": author,
        "/profiles/ada/highlights": first,
        f"/highlights/{highlight['id']}/stories": first,
        "/close-friends": person,
        f"/lists/{people['id']}/members": person,
    }
    if "friends" in environment.brand.feature_names:
        return {**ways, "/friends": person}
    return {**ways, "/profiles/bob/followers": person, "/profiles/bob/following": person}


async def test_an_avatar_is_wherever_its_owner_is_for_no_statement_more(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    for one, other in ((ada, bob), (bob, ada)):
        if "friends" in environment.brand.feature_names:
            assert (await one.post("/friends/requests", json={"username": other.username})).is_success
        else:
            assert (await one.put(f"/follows/{other.username}")).is_success
    ways = await _ways(environment, ada, bob)
    images = [await upload(environment, ada, JPEG) for _ in range(2)]
    statements = dict[str, int]()
    for media_id in (None, images[0], images[1], None):
        expected = None
        if media_id is not None:
            expected = (await _put(ada, AVATAR, id=media_id))["avatar"]
            assert len(expected["blurhash"]) == 28
            assert (expected["path"], expected["widths"]) == (f"/profile-media/{media_id}", [320, 400])
        else:
            assert (await ada.delete(AVATAR)).status_code == 204
        for path, where in ways.items():
            answer = await bob.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert where(answer.json())["avatar"] == expected, path
            assert statements.setdefault(path, environment.statements(answer)) == environment.statements(answer), path
    assert (await ada.get("/profiles/me")).json()["avatar"] is None


async def test_what_the_caller_makes_shows_the_avatar(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    avatar = (await _put(ada, AVATAR, id=await upload(entativa, ada, JPEG)))["avatar"]
    post = (await ada.post("/posts", json={"text": "x"})).json()
    made = [post, (await ada.put(f"/posts/{post['id']}/repost")).json()]
    made.append((await ada.post(f"/posts/{post['id']}/comments", json={"text": "x"})).json())
    made.append((await ada.post("/stories", json={"text": "x"})).json())
    made.append((await ada.post("/highlights", json={"title": "x"})).json())
    assert [each["author"]["avatar"] for each in made] == [avatar] * 5


async def test_a_cover_is_on_the_profile_beside_the_avatar(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    one, other = [await upload(environment, ada, JPEG) for _ in range(2)]
    both = await asyncio.gather(
        ada.put(AVATAR, json={"id": one}), ada.put(COVER, json={"id": other, "alt": " A tram "})
    )
    assert [answer.status_code for answer in both] == [200, 200]
    profile = (await bob.get("/profiles/ada")).json()
    assert profile["avatar"]["path"] == f"/profile-media/{one}"
    assert {**profile["cover"], "blurhash": None} == {
        "path": f"/profile-media/{other}",
        "blurhash": None,
        "widths": [320, 400],
        "alt": "A tram",
        "width": 400,
        "height": 300,
    }
    again = await _put(ada, COVER, id=other, alt="A tram on a hill")
    assert (again["cover"]["alt"], again["avatar"]) == ("A tram on a hill", profile["avatar"])
    for _ in range(2):
        assert (await ada.delete(COVER)).status_code == 204
        profile = (await bob.get("/profiles/ada")).json()
        assert (profile["cover"], profile["avatar"]) == (None, again["avatar"])
    assert [await _status(environment, image) for image in (again["cover"], again["avatar"])] == [404, 200]
    assert (await environment.anonymous.put(AVATAR, json={"id": one})).status_code == 401
    assert (await environment.anonymous.delete(AVATAR)).status_code == 401


async def test_what_cannot_be_shown_is_named(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    shown = await upload(entativa, ada, JPEG)
    profile = await _put(ada, COVER, id=shown)
    used = await upload(entativa, ada, JPEG)
    assert (await ada.post("/posts", json={"text": "x", "media": [{"id": used}]})).status_code == 201
    foreign = await upload(entativa, grace, JPEG)
    failed = await upload(entativa, ada, JPEG[: len(JPEG) // 2])
    video = await upload(entativa, ada, clip(seconds=0.5), "video/mp4")
    narrow = await upload(entativa, ada, encoded(noise(99, 300), MediaType.JPEG))
    low = await upload(entativa, ada, encoded(noise(400, 99), MediaType.JPEG))
    unready = await begin(ada, len(JPEG))
    await append(ada, unready, 0, JPEG)
    for path, body, code, field in (
        (AVATAR, {}, "invalid_input", "id"),
        (AVATAR, {"id": "x"}, "invalid_input", "id"),
        (AVATAR, {"id": shown, "alt": "x"}, "invalid_input", "alt"),
        (AVATAR, {"id": UNKNOWN}, "unknown_media", "id"),
        (AVATAR, {"id": foreign}, "unknown_media", "id"),
        (AVATAR, {"id": failed}, "unusable_media", "id"),
        (AVATAR, {"id": video}, "unusable_media", "id"),
        (AVATAR, {"id": unready.removeprefix("/uploads/")}, "media_not_ready", "id"),
        (AVATAR, {"id": used}, "media_in_use", "id"),
        (AVATAR, {"id": shown}, "media_in_use", "id"),  # it is the cover
        (AVATAR, {"id": narrow}, "image_too_small", "id"),
        (COVER, {"id": narrow}, "image_too_small", "id"),
        (COVER, {"id": low}, "image_too_small", "id"),
        (COVER, {"id": shown, "alt": "x" * 1001}, "too_long", "alt"),
        (COVER, {"id": shown, "alt": "a\u202eb"}, "control_characters", "alt"),
    ):
        answer = await ada.put(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), (path, body)
        assert [error["field"] for error in answer.json()["errors"]] == [field], (path, body)
    after = (await ada.get("/profiles/me")).json()
    assert (after["avatar"], after["cover"]) == (None, profile["cover"])
    assert await _status(entativa, after["cover"]) == 200
    assert (await ada.delete(f"/media/{narrow}")).status_code == 204
    assert (await ada.delete(f"/media/{shown}")).json()["code"] == "media_attached"


async def test_files_are_public_while_the_profile_shows_them(environment: Environment) -> None:
    ada = await environment.member("ada")
    one, other = [await upload(environment, ada, JPEG) for _ in range(2)]
    former = (await _put(ada, AVATAR, id=one))["avatar"]
    for name, media_type in (("320.webp", "image/webp"), ("400.jpg", "image/jpeg")):
        answer = await environment.anonymous.get(f"{former['path']}/{name}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
        assert answer.headers["Cache-Control"] == "public, max-age=3600, immutable"
        assert environment.statements(answer) == 1
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert (await environment.anonymous.get(f"{former['path']}/{name}", headers=tag)).status_code == 304
    for name in ("original", "999.webp"):
        assert await _status(environment, former, name) == 404
    # Nor is it shown as if a post or a story had it.
    for path in (f"/public-media/{one}/0/320.webp", f"/profile-media/{other}/320.webp"):
        assert (await environment.anonymous.get(path)).status_code == 404

    avatar = (await _put(ada, AVATAR, id=other))["avatar"]
    assert [await _status(environment, image) for image in (former, avatar)] == [404, 200]
    # What a profile shows is kept, what it no longer shows is deleted with its files after a while.
    environment.clock.advance(MediaPolicy().unattached_grace + timedelta(seconds=1))
    ada = await environment.log_in("ada")
    await sweep(environment)
    assert (await ada.get(f"/media/{one}")).status_code == 404
    assert (await ada.get(f"/media/{other}")).status_code == 200
    assert await _status(environment, avatar) == 200

    life = environment.platform.service(AuthService).account_life
    async with environment.platform.database.unit_of_work() as uow:
        exported = [
            record
            async for name, record in export_account(uow, environment.brand.features, UUID(ada.id))
            if name == "profile_images"
        ]
        await life.suspend(uow, UUID(ada.id), environment.clock())
        await uow.commit()
    assert exported[0]["avatar"]["id"] == other
    assert await _status(environment, avatar) == 404
    async with environment.platform.database.unit_of_work() as uow:
        await life.end_suspension(uow, UUID(ada.id), environment.clock())
        await uow.commit()
    ada = await environment.log_in("ada")
    assert await _status(environment, avatar) == 200
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await _status(environment, avatar) == 404
    ada = await environment.log_in("ada")
    assert await _status(environment, avatar) == 200
    assert (await ada.post("/account/delete", json={"password": PASSWORD})).is_success
    environment.clock.advance(AccountPolicy().deletion_grace)
    assert await _status(environment, avatar) == 404
    assert await erase_due_accounts(environment.platform) == 1
    assert await _status(environment, avatar) == 404
    environment.clock.advance(MediaPolicy().garbage_grace + timedelta(seconds=1))
    await sweep(environment)
    assert stored(environment) == []
