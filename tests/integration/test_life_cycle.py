"""Export and erasure of an account through all features of a brand."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from features.life_cycle import erase_account, export_account
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import wrong_counts


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.getfixturevalue(request.param)
    return found


async def _connect(environment: Environment, one: Member, other: Member) -> None:
    if "friends" in environment.brand.feature_names:
        await one.post("/friends/requests", json={"username": other.username})
        await other.post("/friends/requests", json={"username": one.username})
    else:
        assert (await one.put(f"/follows/{other.username}")).status_code == 200
        assert (await other.put(f"/follows/{one.username}")).status_code == 200


async def _live(environment: Environment) -> tuple[Member, Member, Member]:
    """Ada and Bob, who have rows in every table of every feature, each with the other; and Eve, who wants no part."""
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    await _connect(environment, ada, bob)
    for me, other in ((ada, bob), (bob, ada)):
        post = (await me.post("/posts", json={"text": f"On my way to #lisbon with @{other.username}"})).json()
        await me.patch(f"/posts/{post['id']}", json={"text": "Home from #lisbon"})
        await me.put(f"/close-friends/{other.username}")
        await me.put(f"/mutes/{other.username}")
        created = (await me.post("/lists", json={"name": "Climbing"})).json()
        await me.put(f"/lists/{created['id']}/members/{other.username}")
        await me.put("/presence/settings", json={"audience": "everyone"})
        await me.put("/blocks/eve")
    if "friends" in environment.brand.feature_names:
        carol = await environment.member("carol")
        await ada.post("/friends/requests", json={"username": "carol"})
        await carol.post("/friends/requests", json={"username": "bob"})
    await eve.put("/blocks/ada")
    await environment.drain()
    return ada, bob, eve


def _tables(environment: Environment) -> list[str]:
    return [table.name for feature in environment.brand.features for table in feature.tables]


async def _rows_with(environment: Environment, account_id: str) -> dict[str, int]:
    """Returns how many rows of the features' tables hold an account's id in a column of their own."""
    pool = environment.platform.database.pool
    found = {}
    for feature in environment.brand.features:
        for table in feature.tables:
            if table.account_columns:
                condition = " or ".join(f"{column} = $1" for column in table.account_columns)
                found[table.name] = await pool.fetchval(
                    f"select count(*) from {table.name} where {condition}", UUID(account_id)
                )
    return found


async def _counts(environment: Environment) -> dict[str, int]:
    pool = environment.platform.database.pool
    return {name: await pool.fetchval(f"select count(*) from {name}") for name in _tables(environment)}


async def test_nothing_of_an_erased_account_is_left_and_everything_of_others_is(environment: Environment) -> None:
    ada, bob, _ = await _live(environment)
    assert all((await _rows_with(environment, ada.id)).values())
    of_bob = await _rows_with(environment, bob.id)
    for _ in range(2):  # a second time, as after an interruption at the end
        await erase_account(
            environment.platform.database, environment.brand.features, UUID(ada.id), environment.clock, limit=1
        )
    assert set((await _rows_with(environment, ada.id)).values()) == {0}
    left = await _rows_with(environment, bob.id)
    own = {"accounts", "auth_audit", "auth_sessions", "connection_counts", "lists", "posts", "profiles"}
    assert {name: left[name] for name in own} == {name: of_bob[name] for name in own}

    pool = environment.platform.database.pool
    assert await wrong_counts(environment) == 0
    await environment.drain()
    assert (await bob.get("/hashtags/lisbon")).json()["posts"] == 1
    assert (await bob.get("/profiles/me")).status_code == 200
    assert (await bob.get("/profiles/ada")).status_code == 404
    feed = (await bob.get("/feed")).json()["items"]
    assert [post["author"]["username"] for post in feed] == ["bob"]
    assert await pool.fetchval("select count(*) from event_dead_letters") == 0


async def test_parts_go_with_what_they_are_parts_of(environment: Environment) -> None:
    ada, bob, eve = await _live(environment)
    for member in (ada, bob, eve):
        await erase_account(
            environment.platform.database, environment.brand.features, UUID(member.id), environment.clock
        )
    left = await _counts(environment)
    for name in ("post_versions", "post_hashtags", "list_members"):
        assert left[name] == 0, name


async def test_an_export_has_every_table_that_is_about_the_account(environment: Environment) -> None:
    ada, bob, _ = await _live(environment)
    rows: dict[str, list[Any]] = {}
    async with environment.platform.database.unit_of_work() as uow:
        async for name, record in export_account(uow, environment.brand.features, UUID(ada.id)):
            rows.setdefault(name, []).append(record)
    about = {t.name for feature in environment.brand.features for t in feature.tables if t.subjects}
    parts = {"auth_refresh_tokens", "post_hashtags", "post_versions", "list_members"}
    assert rows.keys() == about | parts
    assert [post["text"] for post in rows["posts"]] == ["Home from #lisbon"]
    assert [version["text"] for version in rows["post_versions"]] == ["On my way to #lisbon with @bob"]
    assert [str(entry["member_id"]) for entry in rows["list_members"]] == [bob.id]
    assert [entry["email"] for entry in rows["accounts"]] == [ada.email]


async def test_an_export_discloses_no_secret_and_nothing_that_others_did_in_private(environment: Environment) -> None:
    ada, bob, eve = await _live(environment)
    async with environment.platform.database.unit_of_work() as uow:
        exported = [row async for row in export_account(uow, environment.brand.features, UUID(ada.id))]
    columns = {column for name, record in exported for column in record if (name, column) != ("accounts", "state")}
    assert columns.isdisjoint({"password_hash", "hash", "successor", "state", "refused_at"})
    assert {str(record["muter_id"]) for name, record in exported if name == "mutes"} == {ada.id}
    assert {(str(r["blocker_id"]), str(r["blocked_id"])) for name, r in exported if name == "blocks"} == {
        (ada.id, eve.id)
    }
    assert all(str(record["author_id"]) != bob.id for name, record in exported if name == "posts")
