"""Lists that anybody may have written into, with more people in them who are apart from the reader than a page looks
at: nothing is left out, a page costs no more than its bound, and no cursor tells who is passed over."""

import json
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest

from features.bounded_lists import MAX_LOOKED_AT
from features.comments.model import CommentOrder
from features.comments.store import _LEVELS
from features.counters.store import _OF_ALL_KINDS, _OF_ONE_KIND
from features.friends.model import Direction
from features.friends.store import _PENDING
from features.relationships.store import AUDIENCE
from features.stories.store import _VIEWERS
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people

_GONE = "select account_id, row_number() over () as number from profiles where username = any($1::text[])"
_ADDED = "$3::timestamptz + number * interval '1 ms'"
_WRITTEN_BY_GONE = (
    f"""insert into connections (owner_id, viewer_id, created_at)
    select $2, account_id, {_ADDED} from ({_GONE}) as gone""",
    f"""insert into reactions (target_id, target_kind, account_id, kind, created_at)
    select $2, 'post', account_id, (array['like', 'love', 'haha'])[1 + number % 3], {_ADDED} from ({_GONE}) as gone""",
    f"""insert into comments (id, post_id, level_id, depth, author_id, text, entities, created_at, score)
    select account_id, $2, $2, 1, account_id, 'I was here', '[]', {_ADDED}, 5 from ({_GONE}) as gone""",
    f"""insert into story_views (story_id, viewer_id, author_id, viewed_at)
    select $2, account_id, $4, {_ADDED} from ({_GONE}) as gone""",
)
_REQUESTS = f"""insert into friend_requests (id, sender_id, recipient_id, state, created_at)
    select gen_random_uuid(), sender, recipient, 'waiting', {_ADDED} from ({_GONE}) as gone
    cross join lateral (values (account_id, $2::uuid), ($2, account_id)) as pair (sender, recipient)"""
_DEACTIVATE = f"update accounts set state = 'deactivated' where id in (select account_id from ({_GONE}) as gone)"
_PEOPLE = 3 * MAX_LOOKED_AT + 100


class Crowd(NamedTuple):
    """Ada, who has a post and a story; Bob and Eve, who follow her and have reacted, commented and looked, Bob before
    and Eve after a crowd that has been deactivated since; the names of the crowd, the post and the story."""

    ada: Member
    bob: Member
    eve: Member
    names: list[str]
    post: str
    story: str


async def _walk(reader: Member, path: str, passed_over: set[bytes]) -> tuple[list[str], int]:
    """Reads a list to its end, page by page. Returns who is in it, and the number of pages."""
    people: list[str] = []
    cursor, pages = "", 0
    while True:
        page = (await reader.get(f"{path}{'&' if '?' in path else '?'}limit=20{cursor}")).json()
        people += [(item.get("person") or item["author"])["username"] for item in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            return people, pages
        shown = urlsafe_b64decode(page["next_cursor"] + "==")
        assert not any(id in shown for id in passed_over), path
        cursor = f"&cursor={page['next_cursor']}"


async def _blocks(environment: Environment, statement: str, *arguments: object) -> int:
    """Returns how many blocks of tables and indexes a statement reads, planned as always: once, for any arguments."""
    values = ", ".join("null" if each is None else f"'{each}'" for each in arguments)
    async with environment.platform.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local plan_cache_mode = force_generic_plan")
        await connection.execute(f"prepare measured as {statement}")
        plan = await connection.fetchval(f"explain (analyze, buffers, format json) execute measured({values})")
        await connection.execute("deallocate measured")
    found = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])


async def _read(environment: Environment, people: Crowd, limit: int) -> dict[str, int]:
    """Returns how many blocks the first page of each list reads."""
    post, ada, bob, nowhere = UUID(people.post), UUID(people.ada.id), UUID(people.bob.id), (None, None)
    first = ("infinity", UUID(int=2**128 - 1))
    return {
        "followers": await _blocks(environment, AUDIENCE._page, ada, *first, bob, limit),
        "reactions": await _blocks(environment, _OF_ALL_KINDS, post, bob, *nowhere, limit),
        "reactions of a kind": await _blocks(environment, _OF_ONE_KIND, post, bob, *nowhere, limit, "love"),
        "viewers": await _blocks(environment, _VIEWERS, UUID(people.story), ada, *nowhere, limit),
        **{
            order.value: await _blocks(environment, _LEVELS[order], post, bob, ada, *nowhere, limit)
            for order in CommentOrder
        },
    }


@pytest.fixture
async def people(vignette: Environment) -> Crowd:
    """Everybody, in the lists of Ada."""
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    post = (await ada.post("/posts", json={"text": "Hi"})).json()["id"]
    story = (await ada.post("/stories", json={"text": "Good morning"})).json()["id"]
    pool = vignette.platform.database.pool
    crowd = await add_people(vignette, _PEOPLE, "gone")

    async def take_part(member: Member) -> None:
        assert (await member.put("/follows/ada")).is_success
        assert (await member.put(f"/posts/{post}/reaction", json={"kind": "love"})).is_success
        assert (await member.post(f"/posts/{post}/comments", json={"text": "I was here"})).is_success
        assert (await member.put(f"/stories/{story}/view")).is_success

    await take_part(bob)
    vignette.clock.advance(timedelta(seconds=1))
    since: datetime = vignette.clock()
    follow, react, comment, view = _WRITTEN_BY_GONE
    await pool.execute(follow, crowd, UUID(ada.id), since)
    await pool.execute(react, crowd, UUID(post), since)
    await pool.execute(comment, crowd, UUID(post), since)
    await pool.execute(view, crowd, UUID(story), since, UUID(ada.id))
    vignette.clock.advance(timedelta(seconds=10))
    await take_part(eve)
    await pool.execute(_DEACTIVATE, crowd)
    await pool.execute("analyze")
    return Crowd(ada, bob, eve, crowd, post, story)


async def test_people_who_are_apart_cost_a_page_of_a_list_no_more_than_its_bound(
    vignette: Environment, people: Crowd
) -> None:
    ada, bob, eve, names, post, story = people
    pool = vignette.platform.database.pool
    ids = await pool.fetch("select account_id from profiles where username = any($1::text[])", names)
    passed_over = {row["account_id"].bytes for row in ids}
    assert len(passed_over) == _PEOPLE
    orders = {"newest": ["eve", "bob"], "oldest": ["bob", "eve"], "relevance": ["eve", "bob"]}
    lists = [
        (ada, "/profiles/ada/followers", ["eve", "bob"], _PEOPLE),
        (bob, "/profiles/ada/followers", ["eve", "bob"], _PEOPLE),
        (eve, f"/posts/{post}/reactions", ["eve", "bob"], _PEOPLE),
        (vignette.anonymous, f"/posts/{post}/reactions?kind=love", ["eve", "bob"], _PEOPLE / 3),
        (ada, f"/stories/{story}/viewers", ["eve", "bob"], _PEOPLE),
        *((bob, f"/posts/{post}/comments?order={order}", seen, _PEOPLE) for order, seen in orders.items()),
    ]
    for reader, path, seen, hidden in lists:
        found, pages = await _walk(reader, path, passed_over)
        assert found == seen, path
        assert hidden / MAX_LOOKED_AT <= pages <= hidden / MAX_LOOKED_AT + 2, path
    read = await _read(vignette, people, 51)
    assert max(read.values()) < 12 * MAX_LOOKED_AT, read


async def test_a_page_looks_at_no_more_people_than_it_shows(vignette: Environment, people: Crowd) -> None:
    pool = vignette.platform.database.pool
    await pool.execute(_DEACTIVATE.replace("deactivated", "active"), people.names)
    await pool.execute("analyze")
    read = await _read(vignette, people, 21)
    assert max(read.values()) < 20 * 21, read


async def test_friend_requests_of_people_who_are_apart_cost_no_more_than_the_bound(entativa: Environment) -> None:
    """In both directions: Bob before, Eve after a crowd that has been deactivated since."""
    ada, bob, eve, _ = [await entativa.member(name) for name in ("ada", "bob", "eve", "fay")]
    pool = entativa.platform.database.pool
    crowd = await add_people(entativa, _PEOPLE, "gone")
    await bob.post("/friends/requests", json={"username": "ada"})
    await ada.post("/friends/requests", json={"username": "fay"})
    entativa.clock.advance(timedelta(seconds=1))
    await pool.execute(_REQUESTS, crowd, UUID(ada.id), entativa.clock())
    entativa.clock.advance(timedelta(seconds=10))
    await eve.post("/friends/requests", json={"username": "ada"})
    await pool.execute(_DEACTIVATE, crowd)
    await pool.execute("analyze")
    ids = {row["id"].bytes for row in await pool.fetch("select id from friend_requests")}
    for direction, seen in {"incoming": ["eve", "bob"], "outgoing": ["fay"]}.items():
        found, pages = await _walk(ada, f"/friends/requests?direction={direction}", ids)
        assert found == seen
        assert pages <= _PEOPLE / MAX_LOOKED_AT + 2
        first = ("infinity", UUID(int=2**128 - 1))
        read = await _blocks(entativa, _PENDING[Direction(direction)], UUID(ada.id), *first, 51)
        assert read < 12 * MAX_LOOKED_AT, direction
