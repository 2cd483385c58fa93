"""What a page of a hashtag costs its reader, counted in blocks of tables and indexes that Postgres reads."""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from features.bounded_lists import MAX_LOOKED_AT
from features.posts.hashtag_store import _WITH_HASHTAG
from features.posts.privacy import _MAX_CIRCLES
from features.posts.share_store import _QUOTES, _REPOSTERS
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people, befriend


async def _blocks_read(environment: Environment, tag: str, viewer_id: str | None) -> int:
    """Returns how many blocks of tables and indexes a page of a hashtag reads."""
    viewer = UUID(viewer_id) if viewer_id else None
    return await _blocks(environment, _WITH_HASHTAG, tag, viewer, None, None, 51)


async def _blocks(environment: Environment, statement: str, *arguments: object) -> int:
    sql = f"explain (analyze, buffers, format json) {statement}"
    plan = (await environment.platform.database.pool.fetchval(sql, *arguments))[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def test_posts_that_others_may_not_see_do_not_slow_a_hashtag_down(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = (await ada.post("/posts", json={"text": "#lisbon"})).json()
    pool = entativa.platform.database.pool
    await pool.execute(_HIDDEN, UUID(bob.id), 3_000)
    await pool.execute("analyze")
    for reader in (None, ada.id):
        assert await _blocks_read(entativa, "lisbon", reader) < 300
    page = (await entativa.anonymous.get("/hashtags/lisbon/posts")).json()
    assert [item["id"] for item in page["items"]] == [post["id"]]
    assert len((await bob.get("/hashtags/lisbon/posts")).json()["items"]) == 50


_HIDDEN = """
with hidden as (
    insert into posts (id, author_id, text, audience, created_at)
    select gen_random_uuid(), $1, '#lisbon', 'only_me', now() + number * interval '1 ms'
    from generate_series(1, $2::int) as number returning id, created_at
)
insert into post_hashtags (tag, created_at, post_id, audience, author_id)
select 'lisbon', created_at, id, 'only_me', $1 from hidden
"""


_CIRCLES = """
with strangers as (
    select account_id as id from profiles where username = any($2::text[])
), close as (
    insert into close_friends (owner_id, member_id, created_at) select id, $1, now() from strangers
), made as (
    insert into lists (id, owner_id, name, created_at)
    select gen_random_uuid(), id, 'prey', now() from strangers returning id
)
insert into list_members (list_id, member_id, created_at) select id, $1, now() from made
"""


async def test_strangers_who_have_a_reader_in_their_circles_do_not_slow_a_hashtag_down(entativa: Environment) -> None:
    ada, bob, carl = [await entativa.member(name) for name in ("ada", "bob", "carl")]
    pool, limit = entativa.platform.database.pool, int(_MAX_CIRCLES)
    await pool.execute(_HIDDEN, UUID(carl.id), 3_000)
    read = []
    for prefix, more in (("few", limit), ("many", 10 * limit)):
        await pool.execute(_CIRCLES, UUID(bob.id), await add_people(entativa, more, prefix))
        await pool.execute("analyze")
        read.append(await _blocks_read(entativa, "lisbon", bob.id))
    assert read[0] < 10 * limit, read
    assert read[1] < 1.2 * read[0], read

    # The circles of people whose audience the reader is in count however many strangers came before.
    async with entativa.platform.database.unit_of_work() as uow:
        await befriend(uow, bob.id, ["ada"], entativa.clock())
        await uow.commit()
    assert (await ada.put("/close-friends/bob")).is_success
    list_id = (await ada.post("/lists", json={"name": "ours"})).json()["id"]
    assert (await ada.put(f"/lists/{list_id}/members/bob")).is_success
    for body in ({"audience": "close_friends"}, {"audience": "list", "list_id": list_id}, {"audience": "only_me"}):
        assert (await ada.post("/posts", json={"text": "#lisbon", **body})).is_success
    page = (await bob.get("/hashtags/lisbon/posts")).json()
    assert {post["audience"] for post in page["items"]} == {"close_friends", "list"}


_TO_FEW = """
with written as (
    insert into posts (id, author_id, text, audience, list_id, quoted_id, created_at)
    select gen_random_uuid(), $1, '#lisbon', case when $2::uuid is null then 'connections' else 'list' end, $2, $3,
        now() + number * interval '1 ms'
    from generate_series(1, $4::int) as number returning *
)
insert into post_hashtags (tag, created_at, post_id, audience, author_id, list_id)
select 'lisbon', created_at, id, audience, author_id, list_id from written
"""


async def test_posts_to_another_list_of_an_author_do_not_slow_a_hashtag_or_quotes_down(entativa: Environment) -> None:
    ada, bob, carl = [await entativa.member(name) for name in ("ada", "bob", "carl")]
    quoted = (await carl.post("/posts", json={"text": "to quote"})).json()["id"]
    lists = [(await ada.post("/lists", json={"name": name})).json()["id"] for name in ("with bob", "without")]
    assert (await ada.put(f"/lists/{lists[0]}/members/bob")).is_success
    body = {"text": "#lisbon", "audience": "list", "list_id": lists[0]}
    post = (await ada.post("/posts", json=body)).json()["id"]
    quote = (await ada.post("/posts", json={**body, "quoted_id": quoted})).json()["id"]
    pool = entativa.platform.database.pool
    await pool.execute(_TO_FEW, UUID(ada.id), UUID(lists[1]), UUID(quoted), 3_000)
    await pool.execute("analyze")
    assert await _blocks_read(entativa, "lisbon", bob.id) < 80
    assert await _blocks(entativa, _QUOTES, UUID(quoted), UUID(bob.id), None, None, 51, UUID(carl.id)) < 80
    for path, seen in (("/hashtags/lisbon/posts", {post, quote}), (f"/posts/{quoted}/quotes", {quote})):
        assert {item["id"] for item in (await bob.get(path)).json()["items"]} == seen
        assert len((await ada.get(path)).json()["items"]) == 50
        assert (await carl.get(path)).json()["items"] == []

    # Posts that are moved to a list are found there.
    assert (await ada.patch(f"/posts/{post}", json={**body, "list_id": lists[1]})).is_success
    assert post not in (await bob.get("/hashtags/lisbon/posts")).text
    assert (await ada.patch(f"/posts/{post}", json=body)).is_success
    assert post in (await bob.get("/hashtags/lisbon/posts")).text


_PUBLIC_OF_EACH = """
with written as (
    insert into posts (id, author_id, text, audience, quoted_id, created_at)
    select gen_random_uuid(), account_id, '#lisbon', 'public', $2, now() + number * interval '1 ms'
    from profiles, generate_series(1, $3::int) as number where username = any($1::text[]) returning *
)
insert into post_hashtags (tag, created_at, post_id, audience, author_id)
select 'lisbon', created_at, id, audience, author_id from written
"""
_DEACTIVATE = """
update accounts set state = 'deactivated' where id = any(
    select account_id from profiles where username = any($1::text[])
)
"""
_POSTS_OF = """
select posts.id, extract(epoch from posts.created_at) * 1000000 as at
from posts join profiles on account_id = author_id where username = any($1::text[])
"""


async def _walk(reader: Member, path: str, hidden: Sequence[asyncpg.Record]) -> tuple[list[dict[str, Any]], int]:
    """Reads a list to its end, and its cursors: they tell nothing of hidden posts (id, microseconds since 1970).
    Returns the items, and how many pages it took."""
    parts = {part for post in hidden for part in (post["id"].bytes, int(post["at"]).to_bytes(8, "big"))}
    items: list[dict[str, Any]] = []
    cursor, pages = "", 0
    while True:
        page = (await reader.get(f"{path}?limit=50{cursor}")).json()
        items, pages = items + page["items"], pages + 1
        if page["next_cursor"] is None:
            return items, pages
        shown = urlsafe_b64decode(page["next_cursor"] + "==")
        assert not any(part in shown for part in parts)
        cursor = f"&cursor={page['next_cursor']}"


async def test_public_posts_of_people_apart_cost_a_page_no_more_than_its_bound(entativa: Environment) -> None:
    ada, bob, carl = [await entativa.member(name) for name in ("ada", "bob", "carl")]
    quoted = (await carl.post("/posts", json={"text": "to quote"})).json()["id"]
    body = {"text": "#lisbon", "quoted_id": quoted}
    old = [(await ada.post("/posts", json=body)).json()["id"] for _ in range(2)]
    old.append((await ada.post("/posts", json={**body, "audience": "only_me"})).json()["id"])
    pool, gone = entativa.platform.database.pool, await add_people(entativa, 4, "gone")
    await pool.execute(_PUBLIC_OF_EACH, gone, UUID(quoted), 700)
    await pool.execute(_PUBLIC_OF_EACH, ["bob"], UUID(quoted), 1)
    seen = (await ada.get("/hashtags/lisbon/posts")).json()["items"]
    assert len(seen) == 50, "those people are there"
    await pool.execute(_DEACTIVATE, gone)
    await pool.execute("analyze")
    hidden = await pool.fetch(_POSTS_OF, gone)
    assert len(hidden) == 4 * 700

    # Wherever a page ends, nothing is left out or comes twice, also not what only its author sees.
    for path in ("/hashtags/lisbon/posts", f"/posts/{quoted}/quotes"):
        for reader, expected in ((ada, 4), (bob, 3)):
            items, pages = await _walk(reader, path, hidden)
            ids = [item["id"] for item in items]
            assert len(ids) == len({*ids}) == expected, path
            assert {*ids} > {*old[: expected - 1]}
            assert len(hidden) / MAX_LOOKED_AT < pages < len(hidden) / MAX_LOOKED_AT + 3

    bound = 6 * MAX_LOOKED_AT
    assert await _blocks_read(entativa, "lisbon", bob.id) < bound
    assert await _blocks(entativa, _QUOTES, UUID(quoted), UUID(bob.id), None, None, 51, UUID(carl.id)) < bound


_REPOSTS_OF_EACH = """
insert into posts (id, author_id, text, audience, reposted_id, created_at)
select gen_random_uuid(), account_id, '', 'public', $2, now() + row_number() over () * interval '1 ms'
from profiles where username = any($1::text[])
"""


async def test_reposts_by_people_apart_cost_a_page_no_more_than_its_bound(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = (await ada.post("/posts", json={"text": "Hi"})).json()["id"]
    assert (await bob.put(f"/posts/{post}/repost")).is_success
    pool, gone = entativa.platform.database.pool, await add_people(entativa, 2_600, "gone")
    await pool.execute(_REPOSTS_OF_EACH, gone, UUID(post))
    path = f"/posts/{post}/reposts"
    assert len((await ada.get(path)).json()["items"]) == 50, "those people are there"
    await pool.execute(_DEACTIVATE, gone)
    await pool.execute("analyze")
    hidden = await pool.fetch(_POSTS_OF, gone)
    assert len(hidden) == len(gone)
    for reader in (ada, bob, entativa.anonymous):
        items, pages = await _walk(reader, path, hidden)
        assert [item["person"]["username"] for item in items] == ["bob"]
        assert pages == 1 + len(gone) // MAX_LOOKED_AT
    assert await _blocks(entativa, _REPOSTERS, UUID(post), UUID(ada.id), None, None, 51) < 12 * MAX_LOOKED_AT


async def test_posts_for_few_of_people_apart_do_not_slow_a_hashtag_or_quotes_down(entativa: Environment) -> None:
    ada, bob, carl = [await entativa.member(name) for name in ("ada", "bob", "carl")]
    quoted = (await carl.post("/posts", json={"text": "to quote"})).json()["id"]
    async with entativa.platform.database.unit_of_work() as uow:
        await befriend(uow, bob.id, ["ada", "carl"], entativa.clock())
        await uow.commit()
    shown = (await carl.post("/posts", json={"text": "#lisbon", "quoted_id": quoted, "audience": "connections"})).json()
    list_id = (await ada.post("/lists", json={"name": "with bob"})).json()["id"]
    assert (await ada.put(f"/lists/{list_id}/members/bob")).is_success
    pool = entativa.platform.database.pool
    for to in (None, UUID(list_id)):
        await pool.execute(_TO_FEW, UUID(ada.id), to, UUID(quoted), 3_000)
    await pool.execute("analyze")
    paths = ("/hashtags/lisbon/posts", f"/posts/{quoted}/quotes")
    for path in paths:
        assert len((await bob.get(path)).json()["items"]) == 50
    await pool.execute(_DEACTIVATE, ["ada"])
    for path in paths:
        assert [item["id"] for item in (await bob.get(path)).json()["items"]] == [shown["id"]]
    assert await _blocks_read(entativa, "lisbon", bob.id) < 2_000
    assert await _blocks(entativa, _QUOTES, UUID(quoted), UUID(bob.id), None, None, 51, UUID(carl.id)) < 2_000
