"""Highlights: what their author can do with them, and nobody else. Who sees them: test_privacy_stories.py."""

from datetime import timedelta

from features.stories.policy import StoryPolicy
from tests.support.environment import Environment
from tests.support.member import Member

UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def _create(member: Member, title: str = "Lisbon", **body: str) -> str:
    answer = await member.post("/highlights", json={"title": title, **body})
    assert answer.status_code == 201, answer.text
    path: str = answer.headers["Location"].removeprefix("/v1")
    return path


async def _story(member: Member, text: str = "Good morning", **body: str) -> str:
    story_id: str = (await member.post("/stories", json={"text": text, **body})).json()["id"]
    return story_id


async def test_a_highlight_keeps_stories_beyond_their_end(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    path = await _create(ada, " Lisbon ")
    stories = []
    for number in range(3):
        entativa.clock.advance(timedelta(seconds=1))
        stories.append(await _story(ada, str(number), audience="only_me"))
    assert [item["title"] for item in (await ada.get("/profiles/ada/highlights")).json()["items"]] == ["Lisbon"]
    assert (await bob.get("/profiles/ada/highlights")).json()["items"] == []  # while it is empty
    for story_id in reversed(stories):
        assert (await ada.put(f"{path}/stories/{story_id}")).status_code == 200
    again = await ada.put(f"{path}/stories/{stories[0]}")
    assert again.json()["stories"] == 3
    entativa.clock.advance(StoryPolicy().lifetime)
    ada, bob = await entativa.log_in("ada"), await entativa.log_in("bob")
    assert (await bob.get(f"/stories/{stories[0]}")).status_code == 200
    first = await bob.get(f"{path}/stories?limit=2")
    assert entativa.statements(first) == 2
    rest = await bob.get(f"{path}/stories?limit=2&cursor={first.json()['next_cursor']}")
    items = [*first.json()["items"], *rest.json()["items"]]
    assert ([item["text"] for item in items], rest.json()["next_cursor"]) == (["0", "1", "2"], None)
    listed = await bob.get("/profiles/ada/highlights")
    assert (listed.json()["items"], entativa.statements(listed)) == ([again.json()], 2)
    assert (await bob.put(f"/stories/{stories[0]}/reaction", json={"kind": "love"})).status_code == 204
    assert (await ada.get(f"/stories/{stories[0]}")).json()["viewers"] == 1
    second = await _create(ada, "Another")
    names = [item["title"] for item in (await ada.get("/profiles/ada/highlights?limit=1")).json()["items"]]
    assert names == ["Another"]

    for _ in range(2):
        assert (await ada.delete(f"{path}/stories/{stories[1]}")).status_code == 204
    assert (await ada.delete(f"/stories/{stories[2]}")).status_code == 204
    assert [item["id"] for item in (await bob.get(f"{path}/stories")).json()["items"]] == [stories[0]]
    changed = await ada.patch(path, json={"title": "Porto", "audience": "connections"})
    assert (changed.json()["title"], changed.json()["audience"]) == ("Porto", "connections")
    assert [(await bob.get(each)).status_code for each in (path, f"/stories/{stories[0]}")] == [404, 404]
    for each in (path, second):
        assert (await ada.delete(each)).status_code == 204
    assert (await ada.get(path)).json()["code"] == "no_such_highlight"
    assert (await ada.get(f"/stories/{stories[0]}")).status_code == 200
    assert (await ada.get("/profiles/ada/highlights")).json()["items"] == []


async def test_only_its_author_changes_a_highlight(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    public, private = await _create(ada), await _create(ada, audience="only_me")
    of_ada, of_bob = await _story(ada), await _story(bob)
    hidden = await _story(bob, audience="only_me")
    for path, status, code in ((public, 403, "not_your_highlight"), (private, 404, "no_such_highlight")):
        for answer in (
            await bob.patch(path, json={"title": "mine"}),
            await bob.put(f"{path}/stories/{of_bob}"),
            await bob.delete(f"{path}/stories/{of_ada}"),
            await bob.delete(path),
        ):
            assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [(await bob.get(f"{private}{suffix}")).status_code for suffix in ("", "/stories")] == [404, 404]
    for story_id, code in ((of_bob, "not_your_story"), (hidden, "no_such_story"), (UNKNOWN, "no_such_story")):
        assert (await ada.put(f"{public}/stories/{story_id}")).json()["code"] == code
    anonymous = [await entativa.anonymous.delete(public), await entativa.anonymous.post("/highlights", json={})]
    assert [answer.status_code for answer in anonymous] == [401, 401]


async def test_bad_input_is_named_and_there_are_limits(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await _create(ada)
    for body, code, field in (
        ({"title": " "}, "empty", "title"),
        ({"title": "x" * 51}, "too_long", "title"),
        ({"title": "a\u202eb"}, "control_characters", "title"),
        ({"title": "x", "audience": "list"}, "list_mismatch", "list_id"),
        ({"title": "x", "audience": "list", "list_id": UNKNOWN}, "unknown_list", "list_id"),
        ({"title": "x", "cover": 1}, "invalid_input", "cover"),
    ):
        for answer in (await ada.post("/highlights", json=body), await ada.patch(path, json=body)):
            assert (answer.status_code, answer.json()["code"]) == (422, code), body
            assert [error["field"] for error in answer.json()["errors"]] == [field]
    pool, policy = entativa.platform.database.pool, StoryPolicy()
    await pool.execute(
        """insert into story_highlights (id, author_id, title, audience, created_at)
        select gen_random_uuid(), author_id, title, audience, created_at
        from story_highlights cross join generate_series(2, $1::int)""",
        policy.max_highlights,
    )
    assert (await ada.post("/highlights", json={"title": "x"})).json()["code"] == "too_many_highlights"
    story_id = await _story(ada)
    await pool.execute(
        """with made as (
            insert into stories (id, author_id, text, audience, created_at, expires_at)
            select gen_random_uuid(), author_id, text, audience, created_at, created_at
            from stories cross join generate_series(1, $1::int) returning id
        )
        insert into highlighted_stories select $2, id from made""",
        policy.max_highlighted,
        path.removeprefix("/highlights/"),
    )
    assert (await ada.put(f"{path}/stories/{story_id}")).json()["code"] == "too_many_highlighted"
    assert (await ada.get(path)).json()["stories"] == policy.max_highlighted
