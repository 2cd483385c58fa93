"""What a page of a hashtag costs its reader, counted in blocks of tables and indexes that Postgres reads."""

from uuid import UUID

from features.posts.privacy import _MAX_CIRCLES
from features.posts.store import _WITH_HASHTAG
from tests.support.environment import Environment
from tests.support.people import add_people, befriend


async def _blocks_read(environment: Environment, tag: str, viewer_id: str | None) -> int:
    """Returns how many blocks of tables and indexes a page of a hashtag reads."""
    viewer = UUID(viewer_id) if viewer_id else None
    sql = f"explain (analyze, buffers, format json) {_WITH_HASHTAG}"
    plan = (await environment.platform.database.pool.fetchval(sql, tag, viewer, None, None, 51))[0]["Plan"]
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
