"""Media of former versions of posts: which a version shows, who may read their files, and how long they are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from features.posts.model import Audience
from features.posts.privacy import may_see
from tests.integration.test_post_media import JPEG
from tests.integration.test_privacy_posts import RELATIONS, Scenario, environment, scenario
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member
from tests.support.uploads import stored, sweep, upload

__all__ = ["environment", "scenario"]


async def _publish(author: Member, media_id: str, **more: Any) -> str:
    answer = await author.post("/posts", json={"text": "x", "media": [{"id": media_id}], **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _change(author: Member, post_id: str, **change: Any) -> None:
    answer = await author.patch(f"/posts/{post_id}", json=change)
    assert answer.status_code == 200, answer.text


async def _history(reader: Member, post_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await reader.get(f"/posts/{post_id}/history")).json().get("items", [])
    return items


async def _status(environment: Environment, path: str) -> int:
    return (await environment.anonymous.get(f"{path}/320.webp")).status_code


async def test_a_version_has_the_media_that_the_post_had(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    first, second, elsewhere = [await upload(entativa, ada, JPEG) for _ in range(3)]
    post_id = await _publish(ada, first)
    changes: list[dict[str, Any]] = [
        {"media": [{"id": first, "alt": "A tram"}]},
        {"media": [{"id": first, "alt": "A tram"}]},  # the same: no version
        {"media": [{"id": second}, {"id": first, "alt": "A tram"}]},
        {"media": []},
        {"text": "y"},
        {"place": {"name": "Lisbon"}},
        {"media": [{"id": first}]},
    ]
    for change in changes:
        entativa.clock.advance(timedelta(seconds=1))
        await _change(ada, post_id, **change)
    versions = await _history(entativa.anonymous, post_id)
    shown = [[(medium["id"], medium["alt"]) for medium in version["media"]] for version in reversed(versions)]
    assert shown == [
        [(first, "")],
        [(first, "A tram")],
        [(second, ""), (first, "A tram")],
        [],
        [],
        [(first, "")],
    ]
    post = (await ada.get(f"/posts/{post_id}")).json()
    assert post["edited_at"] == versions[0]["created_at"] > versions[1]["created_at"]
    [present] = post["media"]
    assert versions[0]["media"] == [{**present, "expires_at": None}]
    for version in versions:
        assert [await _status(entativa, medium["path"]) for medium in version["media"]] == [200] * len(version["media"])
    assert await _status(entativa, f"/public-media/{elsewhere}/0") == 404


async def test_media_of_a_history_stay_until_the_post_is_deleted(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, JPEG)
    post_id = await _publish(ada, media_id)
    await _change(ada, post_id, media=[])
    path = f"/public-media/{media_id}/0"
    assert (await ada.delete(f"/media/{media_id}")).json()["code"] == "media_attached"
    used = await ada.post("/posts", json={"text": "x", "media": [{"id": media_id}]})
    assert (used.status_code, used.json()["code"]) == (422, "media_in_use")
    entativa.clock.advance(timedelta(days=8))
    await sweep(entativa)
    assert await _status(entativa, path) == 200
    ada = await entativa.log_in("ada")
    assert (await ada.delete(f"/posts/{post_id}")).status_code == 204
    assert await _status(entativa, path) == 404
    for wait in (timedelta(days=8), timedelta(hours=2)):
        entativa.clock.advance(wait)
        await sweep(entativa)
    assert stored(entativa) == []


async def test_files_of_a_version_are_read_by_those_who_may_see_it_and_the_post(scenario: Scenario) -> None:
    """The former version has one of all audiences and the post is public, or the other way round."""
    environment, author = scenario.environment, scenario.author
    paths: dict[str, str] = {}
    for former, present in [
        (Audience.PUBLIC, Audience.LIST),
        *((audience, Audience.PUBLIC) for audience in Audience if audience is not Audience.CONNECTIONS),
        (Audience.PUBLIC, Audience.CONNECTIONS),
        (Audience.CONNECTIONS, Audience.PUBLIC),
    ]:
        lists = {Audience.LIST: scenario.list_id}
        media_id = await upload(environment, author, JPEG)
        post_id = await _publish(author, media_id, audience=former, list_id=lists.get(former))
        await _change(author, post_id, media=[], audience=present, list_id=lists.get(present))
        for relation, stands in RELATIONS.items():
            versions = await _history(scenario.readers[relation], post_id)
            media = [medium for version in versions for medium in version["media"]]
            sees = may_see(stands, former) and may_see(stands, present)
            assert [medium["id"] for medium in media] == ([media_id] if sees else []), (relation, former, present)
            for medium in media:
                paths[relation] = medium["path"]
                assert await _status(environment, medium["path"]) == 200, (relation, former, present)
        for epoch in (0, 1):
            everybodys = former is present is Audience.PUBLIC and epoch == 0
            found = await _status(environment, f"/public-media/{media_id}/{epoch}")
            assert found == (200 if everybodys else 404), (former, present)

    # What was given out last, to those who are connected, ends with the tie, or while the author is away.
    assert (await author.put("/blocks/connected")).is_success
    assert await _status(environment, paths["connected"]) == 404
    assert await _status(environment, paths["connected_close_friend"]) == 200
    assert (await author.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await _status(environment, paths["connected_close_friend"]) == 404
    author = await environment.log_in("self")
    assert await _status(environment, paths["connected_close_friend"]) == 200
    await _change(author, post_id, audience="only_me")
    assert await _status(environment, paths["connected_close_friend"]) == 404
