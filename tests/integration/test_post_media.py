"""Images of posts: what can be attached, where it is shown, who may read its files and until when."""

import io
from datetime import timedelta
from typing import Any

import PIL.Image
import pytest

from features.media.model import MediaType
from features.posts.model import Audience
from features.posts.privacy import may_see
from tests.integration.test_privacy_posts import RELATIONS, Scenario
from tests.support.environment import PASSWORD, Environment
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.uploads import append, begin, stored, sweep, upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)
UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def _post(member: Member, *media_ids: str, **more: Any) -> dict[str, Any]:
    media = [{"id": media_id, "alt": f"picture {at}"} for at, media_id in enumerate(media_ids)]
    answer = await member.post("/posts", json={"text": "with #pictures", "media": media, **more})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _addresses(reader: Member, post_id: str) -> list[str]:
    answer = await reader.get(f"/posts/{post_id}/media")
    assert answer.status_code == 200, answer.text
    return [f"{item['path']}/320.webp" for item in answer.json()["items"]]


async def _status(environment: Environment, *paths: str) -> list[int]:
    return [(await environment.anonymous.get(path)).status_code for path in paths]


async def test_media_are_shown_wherever_their_post_is(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    first, second = await upload(entativa, ada, JPEG), await upload(entativa, ada, JPEG)
    post = await _post(ada, first, second)
    shown = post["media"]
    assert [item["id"] for item in shown] == [first, second]
    assert len(shown[0].pop("blurhash")) == 28
    assert shown[0] == {
        "id": first,
        "alt": "picture 0",
        "width": 400,
        "height": 300,
        "widths": [320, 400],
        "video": None,
        "path": f"/public-media/{first}/0",
    }
    await entativa.drain()
    for path in ("/profiles/ada/posts", "/hashtags/pictures/posts", "/feed"):
        [item] = (await ada.get(path)).json()["items"]
        assert [medium["id"] for medium in item["media"]] == [first, second]
    edited = await ada.patch(f"/posts/{post['id']}", json={"media": [{"id": second, "alt": "alone"}]})
    assert [(item["id"], item["alt"]) for item in edited.json()["media"]] == [(second, "alone")]
    [medium] = (await entativa.anonymous.get(f"/posts/{post['id']}")).json()["media"]
    assert await _status(entativa, f"{medium['path']}/320.webp") == [200]
    kept = await ada.patch(f"/posts/{post['id']}", json={"text": "other"})
    assert [item["id"] for item in kept.json()["media"]] == [second]


async def test_media_that_cannot_be_attached_are_named(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    ready = await upload(entativa, ada, JPEG)
    foreign = await upload(entativa, grace, JPEG)
    failed = await upload(entativa, ada, JPEG[: len(JPEG) // 2])
    used = await upload(entativa, ada, JPEG)
    await _post(ada, used)
    path = await begin(ada, len(JPEG))
    await append(ada, path, 0, JPEG)
    for media_id, code in (
        (UNKNOWN, "unknown_media"),
        (foreign, "unknown_media"),
        (failed, "unusable_media"),
        (path.removeprefix("/uploads/"), "media_not_ready"),
        (used, "media_in_use"),
        (ready, "media_in_use"),
    ):
        answer = await ada.post("/posts", json={"text": "x", "media": [{"id": ready}, {"id": media_id}]})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert "media.1.id" in answer.text
    for media, field in (
        ([{"id": ready, "alt": "x" * 1001}], "media.0.alt"),
        ([{"id": ready, "alt": "a\u202eb"}], "media.0.alt"),
        ([{"id": "x"}], "media.0.id"),
        ([{"id": ready}] * 11, "media"),
    ):
        answer = await ada.post("/posts", json={"text": "x", "media": media})
        assert answer.status_code == 422
        assert f'"{field}"' in answer.text
    assert (await _post(ada, ready))["media"][0]["id"] == ready  # nothing of the above has used it


async def test_a_medium_is_kept_as_long_as_a_post_shows_it(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    shown, never = await upload(entativa, ada, JPEG), await upload(entativa, ada, JPEG)
    post = await _post(ada, shown)
    refused = await ada.delete(f"/media/{shown}")
    assert (refused.status_code, refused.json()["code"]) == (409, "media_attached")
    entativa.clock.advance(timedelta(days=8))
    await sweep(entativa)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{never}")).status_code == 404
    assert (await ada.get(f"/media/{shown}")).status_code == 200
    assert (await ada.delete(f"/posts/{post['id']}")).status_code == 204
    entativa.clock.advance(timedelta(days=6))
    await sweep(entativa)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{shown}")).status_code == 200
    entativa.clock.advance(timedelta(days=2))
    await sweep(entativa)
    entativa.clock.advance(timedelta(hours=2))
    await sweep(entativa)
    assert stored(entativa) == []


async def test_files_of_public_posts_can_be_cached_by_everybody(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _post(ada, await upload(entativa, ada, JPEG))
    path = f"{post['media'][0]['path']}/320.jpg"
    whole = await entativa.anonymous.get(path)
    assert whole.headers["Cache-Control"] == "public, max-age=3600, immutable"
    assert entativa.statements(whole) == 1
    assert PIL.Image.open(io.BytesIO(whole.content)).size == (320, 240)
    part = await entativa.anonymous.get(path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, whole.content[:10])
    tag = whole.headers["ETag"]
    assert (await entativa.anonymous.get(path, headers={"If-None-Match": tag})).status_code == 304
    beyond = await entativa.anonymous.get(path, headers={"Range": "bytes=9999999-"})
    assert beyond.status_code == 416
    others = [path.replace("320.jpg", name) for name in ("original", "321.jpg", "320.png")]
    assert await _status(entativa, *others, path.replace("/0/", "/1/")) == [404] * 4


async def test_an_address_is_for_one_medium_and_expires(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _post(ada, await upload(entativa, ada, JPEG), audience="only_me")
    assert post["media"][0]["path"] is None
    [address] = await _addresses(ada, post["id"])
    answer = await entativa.anonymous.get(address)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert entativa.statements(answer) == 1
    token = address.split("/")[2]
    wrong = [
        address.replace("320.webp", "original"),
        address.replace("/post-media/", "/media-files/"),
        address.replace(token, ("A" if token[40] != "A" else "B").join((token[:40], token[41:]))),
    ]
    assert await _status(entativa, *wrong) == [404] * 3
    beyond = await entativa.anonymous.get(address, headers={"Range": "bytes=9999999-"})
    assert beyond.status_code == 416
    entativa.clock.advance(timedelta(minutes=61))
    assert await _status(entativa, address) == [404]


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


async def test_files_are_read_by_those_who_may_see_the_post_and_by_nobody_else(environment: Environment) -> None:
    """Every kind of address, for every relationship and audience; and dead after each change that hides the post."""
    scenario = Scenario(environment)
    await scenario.build()
    author, readers = scenario.author, scenario.readers
    for post_id in scenario.posts.values():
        media_id = await upload(environment, author, JPEG)
        assert (await author.patch(f"/posts/{post_id}", json={"media": [{"id": media_id}]})).status_code == 200
    await _table(scenario)
    friends_only, everybodys = scenario.posts[Audience.CONNECTIONS], scenario.posts[Audience.PUBLIC]

    async def public() -> str:
        return f"{(await author.get(f'/posts/{everybodys}')).json()['media'][0]['path']}/320.webp"

    # Another audience, and back: what was given out before stays dead.
    paths = [*await _addresses(readers["connected"], friends_only), await public()]
    assert await _status(environment, *paths) == [200, 200]
    for audience in ("only_me", None):
        for post_id, former in ((friends_only, "connections"), (everybodys, "public")):
            body = {"audience": audience or former}
            assert (await author.patch(f"/posts/{post_id}", json=body)).status_code == 200
        assert await _status(environment, *paths) == [404, 404]

    # Somebody is blocked, or taken off the list: others are not concerned.
    [blocked] = await _addresses(readers["connected_close_friend"], friends_only)
    [listed] = await _addresses(readers["on_the_list"], scenario.posts[Audience.LIST])
    paths = [*await _addresses(readers["connected"], friends_only), await public()]
    assert await _status(environment, blocked, listed, *paths) == [200] * 4
    assert (await author.delete(f"/lists/{scenario.list_id}/members/on_the_list")).is_success
    assert (await author.put("/blocks/connected_close_friend")).is_success
    assert await _status(environment, blocked, listed, *paths) == [404, 404, 200, 200]

    # The author is away, and comes back.
    paths += await _addresses(author, friends_only)
    assert (await author.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await _status(environment, *paths) == [404] * 3
    author = await environment.log_in("self")
    assert await _status(environment, *paths) == [200] * 3

    for post_id in (friends_only, everybodys):
        assert (await author.delete(f"/posts/{post_id}")).status_code == 204
        assert (await author.get(f"/posts/{post_id}/media")).status_code == 404
    assert await _status(environment, *paths) == [404] * 3


async def _table(scenario: Scenario) -> None:
    environment = scenario.environment
    for audience, post_id in scenario.posts.items():
        medium = (await scenario.author.get(f"/posts/{post_id}")).json()["media"][0]
        public = f"/public-media/{medium['id']}/0/320.webp"
        assert await _status(environment, public) == [200 if audience is Audience.PUBLIC else 404]
        for relation, relationship in RELATIONS.items():
            reader = scenario.readers[relation]
            answer = await reader.get(f"/posts/{post_id}/media")
            expected = may_see(relationship, audience)
            assert (answer.status_code == 200) is expected, (relation, audience)
            if expected:
                assert await _status(environment, *await _addresses(reader, post_id)) == [200], (relation, audience)
