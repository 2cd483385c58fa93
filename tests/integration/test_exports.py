"""Exports over HTTP: who can have one made and download it, what is in it, and when it goes."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from cluster.events.worker import drain_events
from cluster.retention import sweep
from deployments.platform import brand_tables
from features.auth.policy import AuthPolicy
from features.events import publish
from features.exports.consumers import consumers
from features.exports.events import ExportRequested
from features.exports.policy import ExportPolicy
from tests.support.environment import Environment
from tests.support.member import Member

POLICY = ExportPolicy()
RECENT = AuthPolicy().recent_log_in


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def download(member: Member) -> list[dict[str, Any]]:
    answer = await member.get("/account/export/content")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="account.jsonl.gz"'
    return [json.loads(line) for line in gzip.decompress(answer.content).splitlines()]


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.getfixturevalue(request.param)
    return found


async def test_an_owner_gets_everything_and_nothing_of_others(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    for member in (ada, bob):
        await member.post("/posts", json={"text": f"written by {member.username}"})
    assert problem(await ada.get("/account/export")) == (404, "no_such_export")
    requested = await ada.post("/account/export")
    assert (requested.status_code, requested.json()["state"]) == (202, "pending")
    assert problem(await ada.get("/account/export/content")) == (409, "export_not_ready")
    await environment.drain()
    ready = (await ada.get("/account/export")).json()
    assert ready["state"] == "ready"
    assert ready["size"] == len((await ada.get("/account/export/content")).content)
    rows = await download(ada)
    assert {"accounts", "profiles", "posts", "auth_audit", "auth_sessions"} <= {row["table"] for row in rows}
    assert [row["row"]["text"] for row in rows if row["table"] == "posts"] == ["written by ada"]
    assert bob.id not in json.dumps(rows)
    assert "password_hash" not in json.dumps(rows)
    for path in ("/account/export", "/account/export/content"):
        assert problem(await bob.get(path)) == (404, "no_such_export")
        assert (await environment.anonymous.get(path)).status_code == 401
    assert (await environment.anonymous.post("/account/export")).status_code == 401


async def test_only_a_session_that_has_just_begun_can_take_everything_away(entativa: Environment) -> None:
    old = await entativa.member("ada")
    assert (await old.post("/account/export")).status_code == 202
    await entativa.drain()
    entativa.clock.advance(RECENT)
    refreshed = await old.post("/auth/refresh", json={"refresh_token": old.tokens["refresh_token"]})
    old.headers = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
    assert problem(await old.get("/account/export/content")) == (403, "log_in_again")
    assert problem(await old.post("/account/export")) == (403, "log_in_again")
    assert (await old.get("/account/export")).json()["state"] == "ready"
    assert await download(await entativa.log_in("ada"))


async def test_one_export_a_day_replaces_the_one_before(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    answers = await asyncio.gather(*(ada.post("/account/export") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [202, 429, 429]
    assert {problem(answer) for answer in answers if answer.is_error} == {(429, "export_just_requested")}
    await entativa.drain()
    entativa.clock.advance(POLICY.pause)
    ada = await entativa.log_in("ada")
    await ada.post("/posts", json={"text": "later"})
    assert (await ada.post("/account/export")).status_code == 202
    assert problem(await ada.get("/account/export/content")) == (409, "export_not_ready")
    await entativa.drain()
    assert "later" in json.dumps(await download(ada))
    assert await entativa.platform.database.pool.fetchval("select count(*) from account_exports") == 1


async def test_an_export_goes_after_a_week(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await ada.post("/account/export")
    await entativa.drain()
    entativa.clock.advance(POLICY.lifetime)
    ada = await entativa.log_in("ada")
    for path in ("/account/export", "/account/export/content"):
        assert problem(await ada.get(path)) == (404, "no_such_export")
    database = entativa.platform.database
    await sweep(database, brand_tables(entativa.brand), entativa.clock() + timedelta(seconds=1))
    assert await database.pool.fetchval("select count(*) from account_export_parts") == 0


async def test_an_export_of_many_parts_is_made_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    database = entativa.platform.database
    await database.pool.execute(_POSTS, UUID(ada.id), 500)
    await ada.post("/account/export")
    small = replace(POLICY, part_bytes=4096)
    made = consumers(entativa.platform.features, small, entativa.clock)
    await drain_events(made, database, entativa.event_log)
    first = (await ada.get("/account/export")).json()
    async with database.unit_of_work() as uow:  # a consumer may see an event twice
        publish(
            uow, ExportRequested(UUID(ada.id), await uow.fetchval("select id from account_exports")), entativa.clock()
        )
        await uow.commit()
    entativa.clock.advance(timedelta(seconds=1))
    await drain_events(made, database, entativa.event_log)
    assert (await ada.get("/account/export")).json() == first
    assert await database.pool.fetchval("select count(*) from account_export_parts") > 1
    rows = await download(ada)
    assert len([row for row in rows if row["table"] == "posts"]) == 500


_POSTS = """
insert into posts (id, author_id, text, audience, created_at)
select gen_random_uuid(), $1, md5(random()::text), 'public', now() from generate_series(1, $2::int)
"""
