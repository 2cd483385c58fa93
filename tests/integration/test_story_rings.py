"""Rings: who is in them, in which order, page by page, and when they end."""

from datetime import timedelta

from features.stories.policy import StoryPolicy
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people, befriend

DAY = StoryPolicy().lifetime
SECOND = timedelta(seconds=1)


async def _publish(environment: Environment, author: Member, **body: str) -> str:
    environment.clock.advance(SECOND)
    answer = await author.post("/stories", json={"text": "Good morning", **body})
    assert answer.status_code == 201, answer.text
    story_id: str = answer.json()["id"]
    return story_id


async def _rings(reader: Member, query: str = "") -> list[tuple[str, int, int]]:
    items = (await reader.get(f"/stories/rings{query}")).json()["items"]
    return [(item["person"]["username"], item["stories"], item["unseen"]) for item in items]


async def _names(reader: Member) -> list[str]:
    return [name for name, _, _ in await _rings(reader)]


async def test_rings_are_of_those_whom_the_reader_follows_the_closest_first(vignette: Environment) -> None:
    names = ("ada", "bob", "carol", "dan", "eve", "mia")
    ada, bob, carol, dan, eve, mia = [await vignette.member(name) for name in names]
    for author in (bob, carol, dan, eve):
        assert (await ada.put(f"/follows/{author.username}")).is_success
    assert await _rings(ada) == []
    await _publish(vignette, ada)
    await _publish(vignette, mia)
    await _publish(vignette, eve, audience="close_friends")
    first = await _publish(vignette, bob)
    await _publish(vignette, bob, audience="only_me")
    await _publish(vignette, bob)
    of_carol = await _publish(vignette, carol)
    await _publish(vignette, dan)
    assert await _rings(ada) == [("dan", 1, 1), ("carol", 1, 1), ("bob", 2, 2)]
    page = await ada.get("/stories/rings")
    assert vignette.statements(page) == 1
    assert page.json()["items"][0]["person"]["name"] == "Dan"

    # A close friend before the others; what the other has done does not count.
    assert (await dan.put("/close-friends/ada")).is_success
    assert (await ada.put("/close-friends/bob")).is_success
    assert await _names(ada) == ["bob", "dan", "carol"]
    assert (await ada.delete("/close-friends/bob")).is_success

    # What is seen comes last, and counts for the order of what is not.
    assert (await ada.put(f"/stories/{of_carol}/view")).status_code == 204
    assert (await ada.put(f"/stories/{first}/view")).status_code == 204
    assert await _rings(ada) == [("bob", 2, 1), ("dan", 1, 1), ("carol", 1, 0)]
    await _publish(vignette, carol)
    await _publish(vignette, dan)
    assert await _rings(ada) == [("carol", 2, 1), ("bob", 2, 1), ("dan", 2, 2)]
    paged, cursor = [], ""
    for _ in range(3):
        answer = (await ada.get(f"/stories/rings?limit=1{cursor}")).json()
        paged += [item["person"]["username"] for item in answer["items"]]
        cursor = f"&cursor={answer['next_cursor']}"
    assert (paged, answer["next_cursor"]) == (["carol", "bob", "dan"], None)

    # Closer friends of whom everything is seen come after those with something new.
    assert (await eve.put("/close-friends/ada")).is_success
    assert (await ada.put("/mutes/dan")).is_success
    assert (await carol.put("/blocks/ada")).is_success
    assert await _rings(ada) == [("bob", 2, 1), ("eve", 1, 1)]
    assert (await vignette.anonymous.get("/stories/rings")).status_code == 401


async def test_a_ring_ends_with_its_last_story(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    for sender, recipient in ((ada, bob), (bob, ada)):
        assert (await sender.post("/friends/requests", json={"username": recipient.username})).is_success
    for _ in range(2):
        await _publish(entativa, bob)
    entativa.clock.advance(DAY - SECOND)
    ada = await entativa.log_in("ada")
    assert await _rings(ada) == [("bob", 1, 1)]
    entativa.clock.advance(SECOND - timedelta(microseconds=1))
    assert await _names(ada) == ["bob"]
    entativa.clock.advance(timedelta(microseconds=1))
    assert await _names(ada) == []


async def test_many_rings_cost_one_statement(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    names = await add_people(entativa, 120)
    async with entativa.platform.database.unit_of_work() as uow:
        await befriend(uow, ada.id, names, entativa.clock())
        await uow.execute(
            """insert into stories (id, author_id, text, audience, created_at, expires_at)
            select gen_random_uuid(), account_id, 'x', 'connections', $2::timestamptz, $2 + interval '1 day'
            from profiles cross join generate_series(1, 2) where username = any($1::text[])""",
            names,
            entativa.clock(),
        )
        await uow.commit()
    await ada.get("/stories/rings")
    seen: list[str] = []
    cursor = ""
    for _ in range(2):
        page = await ada.get(f"/stories/rings?limit=100{cursor}")
        assert entativa.statements(page) == 1
        seen += [item["person"]["username"] for item in page.json()["items"]]
        cursor = f"&cursor={page.json()['next_cursor']}"
    assert sorted(seen) == sorted(names)
