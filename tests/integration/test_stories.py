"""Stories: what can be published, who has seen it, the archive, and the end of a story to the microsecond."""

from datetime import timedelta
from typing import Any

from features.media.model import MediaType
from features.stories.policy import StoryPolicy
from tests.support.environment import PASSWORD, Environment
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.people import add_people, befriend
from tests.support.uploads import append, begin, sweep, upload

JPEG = encoded(noise(400, 300), MediaType.JPEG)
UNKNOWN = "00000000-0000-7000-8000-000000000000"
DAY = StoryPolicy().lifetime
MOMENT = timedelta(microseconds=1)


async def _publish(member: Member, **body: Any) -> dict[str, Any]:
    answer = await member.post("/stories", json=body)
    assert answer.status_code == 201, answer.text
    story: dict[str, Any] = answer.json()
    return story


async def _live(reader: Member, username: str) -> list[str]:
    answer = await reader.get(f"/profiles/{username}/stories")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_story_shows_a_text_or_an_image_or_both(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    answer = await ada.post("/stories", json={"text": " Good morning\r\nLisbon "})
    text = answer.json()
    assert answer.headers["Location"] == f"/v1/stories/{text['id']}"
    assert (text["text"], text["media"], text["seen"]) == ("Good morning\nLisbon", None, True)
    medium = await upload(entativa, ada, JPEG)
    entativa.clock.advance(timedelta(seconds=1))
    image = await _publish(ada, media={"id": medium, "alt": "A tram"}, text="\u200b")
    assert (image["text"], image["media"]["alt"], image["media"]["widths"]) == ("", "A tram", [320, 400])
    entativa.clock.advance(timedelta(seconds=1))
    both = await _publish(ada, media={"id": await upload(entativa, ada, JPEG)}, text="Both", audience="only_me")
    assert await _live(ada, "ada") == [text["id"], image["id"], both["id"]]
    assert await _live(bob, "ADA") == [text["id"], image["id"]]
    page = await bob.get("/profiles/ada/stories")
    assert entativa.statements(page) == 2
    shown = page.json()["items"][1]
    assert shown["media"]["path"] != image["media"]["path"]
    assert (image["viewers"], image["reactions"]["total"]) == (0, 0)
    own = {"media": None, "seen": None, "may_reply": None, "viewers": None, "reactions": None}
    assert {**image, **own} == {**shown, **own}
    for reader, expected in ((bob, shown), (ada, image)):
        one = await reader.get(f"/stories/{image['id']}")
        assert entativa.statements(one) == 1
        assert one.json() == expected
    first = await bob.get("/profiles/ada/stories?limit=1")
    second = await bob.get(f"/profiles/ada/stories?limit=1&cursor={first.json()['next_cursor']}")
    assert [item["id"] for item in second.json()["items"]] == [image["id"]]
    assert second.json()["next_cursor"] is None


async def test_what_cannot_be_published_is_named(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    used, foreign = await upload(entativa, ada, JPEG), await upload(entativa, grace, JPEG)
    failed = await upload(entativa, ada, JPEG[: len(JPEG) // 2])
    await _publish(ada, media={"id": used})
    unready = await begin(ada, len(JPEG))
    await append(ada, unready, 0, JPEG)
    foreign_list = (await grace.post("/lists", json={"name": "hers"})).json()["id"]
    for body, code, field in (
        ({}, "empty", "text"),
        ({"text": " \u200b"}, "empty", "text"),
        ({"text": "x" * 501}, "too_long", "text"),
        ({"text": "a\u0007b"}, "control_characters", "text"),
        ({"text": 3}, "invalid_input", "text"),
        ({"text": "x", "colour": "red"}, "invalid_input", "colour"),
        ({"text": "x", "audience": "everybody"}, "invalid_input", "audience"),
        ({"text": "x", "audience": "list"}, "list_mismatch", "list_id"),
        ({"text": "x", "list_id": foreign_list}, "list_mismatch", "list_id"),
        ({"text": "x", "audience": "list", "list_id": foreign_list}, "unknown_list", "list_id"),
        ({"text": "x", "audience": "list", "list_id": UNKNOWN}, "unknown_list", "list_id"),
        ({"media": {"id": "x"}}, "invalid_input", "media.id"),
        ({"media": {"id": UNKNOWN}}, "unknown_media", "media.id"),
        ({"media": {"id": foreign}}, "unknown_media", "media.id"),
        ({"media": {"id": failed}}, "unusable_media", "media.id"),
        ({"media": {"id": unready.removeprefix("/uploads/")}}, "media_not_ready", "media.id"),
        ({"media": {"id": used}}, "media_in_use", "media.id"),
        ({"media": {"id": used, "alt": "x" * 1001}}, "too_long", "media.alt"),
        ({"media": {"id": used, "alt": "a\u202eb"}}, "control_characters", "media.alt"),
    ):
        answer = await ada.post("/stories", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), body
        assert [error["field"] for error in answer.json()["errors"]] == [field], body
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(await _live(ada, "ada")) == 1
    post = await ada.post("/posts", json={"text": "x", "media": [{"id": used}]})
    assert post.json()["code"] == "media_in_use"


async def test_an_account_has_so_many_stories_at_a_time(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    story = await _publish(ada, text="x")
    await entativa.platform.database.pool.execute(
        """insert into stories (id, author_id, text, audience, created_at, expires_at)
        select gen_random_uuid(), author_id, text, audience, created_at, expires_at
        from stories cross join generate_series(2, $1::int)""",
        StoryPolicy().max_live,
    )
    refused = await ada.post("/stories", json={"text": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_stories")
    assert (await ada.delete(f"/stories/{story['id']}")).status_code == 204
    await _publish(ada, text="x")
    assert (await ada.post("/stories", json={"text": "x"})).json()["code"] == "too_many_stories"
    entativa.clock.advance(DAY)
    ada = await entativa.log_in("ada")
    await _publish(ada, text="x")


async def test_a_story_ends_at_its_time_and_is_in_the_archive_then(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    story = await _publish(ada, media={"id": await upload(entativa, ada, JPEG)})
    entativa.clock.advance(timedelta(seconds=1))
    later = await _publish(ada, text="later", audience="only_me")
    path = f"/stories/{story['id']}"
    assert (await bob.put(f"{path}/view")).status_code == 204
    entativa.clock.advance(DAY - timedelta(seconds=1) - MOMENT)
    ada, bob = await entativa.log_in("ada"), await entativa.log_in("bob")
    files = {}
    for reader in (entativa.anonymous, bob, ada):
        [shown] = [item for item in (await reader.get("/profiles/ada/stories")).json()["items"] if item["media"]]
        files[reader.username] = f"{shown['media']['path']}/320.webp"
        assert (await reader.get(path)).status_code == 200
        own = reader.username == "ada"
        assert (shown["media"]["path_expires_at"] == story["expires_at"]) is not own
    assert len(set(files.values())) == 3
    assert [(await entativa.anonymous.get(file)).status_code for file in files.values()] == [200] * 3
    assert (await ada.get("/stories/archive")).json()["items"] == []

    entativa.clock.advance(MOMENT)  # the end of the first
    for reader in (entativa.anonymous, bob):
        assert (await reader.get(path)).status_code == 404
        assert (await entativa.anonymous.get(files[reader.username])).status_code == 404
        assert await _live(reader, "ada") == []
    assert (await bob.put(f"{path}/view")).json()["code"] == "no_such_story"
    assert await _live(ada, "ada") == [later["id"]]
    assert [item["id"] for item in (await ada.get("/stories/archive")).json()["items"]] == [story["id"]]
    entativa.clock.advance(timedelta(seconds=1))
    assert await _live(ada, "ada") == []
    assert (await entativa.anonymous.get(files["ada"])).status_code == 200
    archived = await ada.get("/stories/archive?limit=1")
    assert entativa.statements(archived) == 1
    assert [item["id"] for item in archived.json()["items"]] == [later["id"]]
    rest = (await ada.get(f"/stories/archive?cursor={archived.json()['next_cursor']}")).json()
    assert [item["id"] for item in rest["items"]] == [story["id"]]
    assert (await bob.get("/stories/archive")).json()["items"] == []
    assert (await ada.get(path)).json()["id"] == story["id"]
    assert [item["person"]["username"] for item in (await ada.get(f"{path}/viewers")).json()["items"]] == ["bob"]
    assert (await ada.delete(path)).status_code == 204
    assert (await entativa.anonymous.get(files["ada"])).status_code == 404


async def test_a_thousand_stories_end_at_the_same_moment(entativa: Environment) -> None:
    """To the microsecond, in every list, with nothing running: a page before it and a page at it."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    story = await _publish(ada, media={"id": await upload(entativa, ada, JPEG)})
    names = await add_people(entativa, 999)
    async with entativa.platform.database.unit_of_work() as uow:
        await befriend(uow, bob.id, [*names, "ada"], entativa.clock())
        await uow.execute(
            """insert into stories (id, author_id, text, audience, created_at, expires_at)
            select gen_random_uuid(), account_id, 'x', 'connections', $2::timestamptz, $3
            from profiles where username = any($1::text[])""",
            names,
            entativa.clock(),
            entativa.clock() + DAY,
        )
        await uow.commit()

    async def ringed() -> int:
        count, cursor = 0, ""
        while True:
            page = (await bob.get(f"/stories/rings?limit=100{cursor}")).json()
            count += len(page["items"])
            if page["next_cursor"] is None:
                return count
            cursor = f"&cursor={page['next_cursor']}"

    entativa.clock.advance(DAY - MOMENT)
    bob = await entativa.log_in("bob")
    shown = (await bob.get(f"/stories/{story['id']}")).json()
    file = f"{shown['media']['path']}/320.webp"
    assert (await ringed(), (await entativa.anonymous.get(file)).status_code) == (1_000, 200)
    entativa.clock.advance(MOMENT)
    assert (await ringed(), (await entativa.anonymous.get(file)).status_code) == (0, 404)
    assert await _live(bob, names[0]) == []


async def test_a_deleted_story_leaves_nothing(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    medium = await upload(entativa, ada, JPEG)
    key = {"Idempotency-Key": "a story once"}
    story = (await ada.post("/stories", json={"media": {"id": medium}}, headers=key)).json()
    path, file = f"/stories/{story['id']}", f"{story['media']['path']}/320.webp"
    assert (await ada.post("/stories", json={"media": {"id": medium}}, headers=key)).json() == story
    assert (await ada.delete(f"/media/{medium}")).json()["code"] == "media_attached"
    assert (await bob.put(f"{path}/view")).status_code == 204
    assert [(await reader.delete(path)).status_code for reader in (entativa.anonymous, bob)] == [401, 403]
    assert (await entativa.anonymous.get(file)).status_code == 200
    assert (await ada.delete(path)).status_code == 204
    assert (await entativa.anonymous.get(file)).status_code == 404
    gone = [
        await ada.get(path),
        await ada.delete(path),
        await ada.get(f"{path}/viewers"),
        await bob.put(f"{path}/view"),
    ]
    assert [answer.json()["code"] for answer in gone] == ["no_such_story"] * 4
    repeated = await ada.post("/stories", json={"media": {"id": medium}}, headers=key)
    assert repeated.json()["code"] == "deleted_since"
    pool = entativa.platform.database.pool
    assert await pool.fetchval("select count(*) from story_views") == 0
    events = await pool.fetch("select type from outbox where key = $1 order by id", story["id"])
    assert [event["type"] for event in events] == ["stories.created", "stories.deleted"]
    await entativa.drain()
    entativa.clock.advance(timedelta(days=8))
    await sweep(entativa)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{medium}")).status_code == 404


async def test_a_view_counts_once_and_is_shown_to_the_author_alone(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    story = await _publish(ada, text="Good morning")
    path = f"/stories/{story['id']}"
    for viewer in (bob, eve):
        assert (await viewer.get(path)).json()["seen"] is False
    for viewer in (bob, eve, bob, ada):
        viewed = await viewer.put(f"{path}/view")
        assert viewed.status_code == 204
        assert entativa.statements(viewed) <= 2
        entativa.clock.advance(timedelta(seconds=1))
    assert (await entativa.anonymous.put(f"{path}/view")).status_code == 401
    assert (await bob.get(path)).json()["seen"] is True
    assert (await entativa.anonymous.get(path)).json()["seen"] is False
    assert [(await reader.get(path)).json()["viewers"] for reader in (ada, bob)] == [2, None]
    listed = await ada.get(f"{path}/viewers?limit=1")
    assert entativa.statements(listed) == 2
    rest = await ada.get(f"{path}/viewers?cursor={listed.json()['next_cursor']}")
    people = [*listed.json()["items"], *rest.json()["items"]]
    assert [item["person"]["username"] for item in people] == ["eve", "bob"]
    assert rest.json()["next_cursor"] is None
    refused = [await reader.get(f"{path}/viewers") for reader in (entativa.anonymous, bob)]
    assert [answer.status_code for answer in refused] == [401, 403]

    # Who is away is not listed; who is blocked, either way, is not even afterwards.
    assert (await eve.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert [item["person"]["username"] for item in (await ada.get(f"{path}/viewers")).json()["items"]] == ["bob"]
    eve = await entativa.log_in("eve")
    assert (await bob.put("/blocks/ada")).is_success
    assert (await ada.put("/blocks/eve")).is_success
    for viewer in (bob, eve):
        assert (await viewer.put(f"{path}/view")).json()["code"] == "no_such_story"
    assert (await bob.delete("/blocks/ada")).is_success
    assert (await ada.delete("/blocks/eve")).is_success
    assert (await ada.get(f"{path}/viewers")).json()["items"] == []
    assert (await ada.get(path)).json()["viewers"] == 0
    assert (await bob.get(path)).json()["seen"] is False


async def test_reactions_are_for_the_author(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    story = await _publish(ada, text="Good morning")
    path = f"/stories/{story['id']}"
    for kind in ("love", "wow"):
        assert (await bob.put(f"{path}/reaction", json={"kind": kind})).status_code == 204
    shown = (await bob.get(path)).json()
    assert (shown["seen"], shown["own_reaction"], shown["reactions"], shown["viewers"]) == (True, "wow", None, None)
    shown = (await ada.get(path)).json()
    assert (shown["viewers"], shown["reactions"]["total"], shown["reactions"]["counts"]["wow"]) == (1, 1, 1)
    [viewer] = (await ada.get(f"{path}/viewers")).json()["items"]
    assert (viewer["person"]["username"], viewer["reaction"]) == ("bob", "wow")
    assert (await bob.delete(f"{path}/reaction")).status_code == 204
    assert (await bob.get(path)).json()["own_reaction"] is None
    assert [item["reaction"] for item in (await ada.get(f"{path}/viewers")).json()["items"]] == [None]
    refused = await bob.put(f"{path}/reaction", json={"kind": "meh"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "kind")
    unknown = [
        await bob.put(f"/stories/{UNKNOWN}/reaction", json={"kind": "love"}),
        await bob.delete(f"/stories/{UNKNOWN}/reaction"),
    ]
    assert [answer.json()["code"] for answer in unknown] == ["no_such_story"] * 2

    # With the story goes what was counted of it.
    assert (await bob.put(f"{path}/reaction", json={"kind": "love"})).status_code == 204
    assert (await ada.delete(path)).status_code == 204
    await entativa.drain()
    pool = entativa.platform.database.pool
    for table in ("reactions", "target_counts", "story_views"):
        assert await pool.fetchval(f"select count(*) from {table}") == 0


async def test_pages_cost_the_same_however_many_stories_and_viewers_there_are(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    stories = [await _publish(ada, text="x") for _ in range(20)]
    names = await add_people(entativa, 30)
    pool = entativa.platform.database.pool
    await pool.execute(
        """insert into story_views (story_id, viewer_id, author_id, viewed_at)
        select $1, account_id, $2, $3 from profiles where username = any($4::text[])""",
        stories[0]["id"],
        ada.id,
        entativa.clock(),
        names,
    )
    page = await ada.get("/profiles/ada/stories")
    assert (len(page.json()["items"]), entativa.statements(page)) == (20, 2)
    seen = await ada.get(f"/stories/{stories[0]['id']}/viewers")
    assert (len(seen.json()["items"]), entativa.statements(seen)) == (30, 2)
