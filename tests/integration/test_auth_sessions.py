"""Sign-in sessions over HTTP: listed, revoked, and ended immediately on every replica, with Redis and without."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from cluster.local.processes import free_port
from deployments.platform import open_platform
from features.auth.policy import AuthPolicy
from features.auth.service import AuthService
from tests.support.environment import Environment, open_client
from tests.support.member import Member


@asynccontextmanager
async def replica(environment: Environment, *, redis: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """Another replica of the same brand on the same database, optionally cut off from Redis."""
    settings = environment.settings
    if not redis:
        settings = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    platform = await open_platform(environment.brand, settings, now=environment.clock)
    async with open_client(platform) as client:
        yield client
    await platform.close()


def on(client: httpx.AsyncClient, member: Member) -> Member:
    """The same person talking to another replica."""
    return replace(member, client=client)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def sessions_of(member: Member) -> list[dict[str, object]]:
    answer = await member.get("/auth/sessions")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_sessions_are_listed_newest_first_with_the_asking_one_marked(entativa: Environment) -> None:
    phone = await entativa.member("ada")
    entativa.clock.advance(timedelta(seconds=1))
    laptop = await entativa.log_in("ada")
    await entativa.member("grace")
    listed = await sessions_of(laptop)
    assert [(item["id"], item["current"]) for item in listed] == [
        (laptop.tokens["session_id"], True),
        (phone.tokens["session_id"], False),
    ]
    first = (await laptop.get("/auth/sessions", params={"limit": 1})).json()
    rest = (await laptop.get("/auth/sessions", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [*first["items"], *rest["items"]] == listed
    assert rest["next_cursor"] is None


async def test_a_session_check_costs_no_statement_once_redis_knows(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    assert entativa.statements(await ada.get("/auth/sessions")) == 2
    assert entativa.statements(await ada.get("/auth/sessions")) == 1


async def test_a_revoked_session_is_dead_at_once_on_every_replica(entativa: Environment) -> None:
    async with replica(entativa) as second, replica(entativa, redis=False) as third:
        phone = await entativa.member("ada")
        laptop = await entativa.log_in("ada")
        for client in (entativa.client, second, third):  # every replica has seen both and cached what it caches
            for member in (phone, laptop):
                await sessions_of(on(client, member))
        answer = await laptop.delete(f"/auth/sessions/{phone.tokens['session_id']}")
        assert answer.status_code == 204
        for client in (entativa.client, second, third):
            assert problem(await on(client, phone).get("/auth/sessions")) == (401, "session_ended")
            assert len(await sessions_of(on(client, laptop))) == 1
        for client in (entativa.client, second, third):
            answer = await client.post("/auth/refresh", json={"refresh_token": phone.tokens["refresh_token"]})
            assert problem(answer) == (401, "bad_refresh_token")


async def test_a_session_revoked_without_redis_is_dead_where_redis_remembers_it(entativa: Environment) -> None:
    """The replica that revoked could not reach Redis; the event of the same transaction makes up for it."""
    async with replica(entativa, redis=False) as cut_off:
        ada = await entativa.member("ada")
        await sessions_of(ada)
        assert (await on(cut_off, ada).post("/auth/log-out")).status_code == 204
        assert problem(await on(cut_off, ada).get("/auth/sessions")) == (401, "session_ended")
        await entativa.drain()
        assert problem(await ada.get("/auth/sessions")) == (401, "session_ended")


async def test_the_mark_of_an_ended_session_outlives_every_access_token(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await ada.post("/auth/log-out")
    key = entativa.platform.service(AuthService).sessions.liveness_key(UUID(ada.tokens["session_id"]))
    assert await entativa.platform.redis.get(key) == b"0"
    lifetime = entativa.brand.policy(AuthPolicy).access_token_lifetime
    assert await entativa.platform.redis.ttl(key) > lifetime.total_seconds()


async def test_a_check_that_raced_a_revocation_cannot_bring_the_session_back(entativa: Environment) -> None:
    """A replica reads "live" from Postgres, the session is revoked and committed, and only then does the replica note
    what it had read."""
    ada = await entativa.member("ada")
    session_id = UUID(ada.tokens["session_id"])
    assert (await ada.post("/auth/log-out")).status_code == 204
    await entativa.platform.service(AuthService).sessions.liveness.remember_live(session_id)
    assert problem(await ada.get("/auth/sessions")) == (401, "session_ended")


async def test_a_revocation_that_rolls_back_leaves_the_session_alive(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    session_id = UUID(ada.tokens["session_id"])
    liveness = entativa.platform.service(AuthService).sessions.liveness
    await liveness.announce_end([session_id])
    assert 0 < await entativa.platform.redis.ttl(liveness.key(session_id)) <= 60
    await entativa.platform.redis.delete(liveness.key(session_id))  # those seconds have passed
    assert len(await sessions_of(ada)) == 1


async def test_revoking_the_others_spares_the_session_that_asks(entativa: Environment) -> None:
    laptop = await entativa.member("ada")
    others = [await entativa.log_in("ada") for _ in range(2)]
    grace = await entativa.member("grace")
    for member in (laptop, *others, grace):
        await sessions_of(member)
    answer = await laptop.post("/auth/sessions/revoke-others")
    assert (answer.status_code, answer.json()) == (200, {"revoked": 2})
    for member in others:
        assert problem(await member.get("/auth/sessions")) == (401, "session_ended")
    assert len(await sessions_of(laptop)) == 1
    assert len(await sessions_of(grace)) == 1
    assert (await laptop.post("/auth/sessions/revoke-others")).json() == {"revoked": 0}


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's"])
async def test_only_own_sessions_can_be_revoked(entativa: Environment, whose: str) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    session_id = UUID(int=7) if whose == "nobody's" else grace.tokens["session_id"]
    assert problem(await ada.delete(f"/auth/sessions/{session_id}")) == (404, "unknown_session")
    assert len(await sessions_of(grace)) == 1


async def test_logging_out_ends_only_this_device(entativa: Environment) -> None:
    phone = await entativa.member("ada")
    laptop = await entativa.log_in("ada")
    assert (await phone.post("/auth/log-out")).status_code == 204
    assert problem(await phone.get("/auth/sessions")) == (401, "session_ended")
    assert len(await sessions_of(laptop)) == 1
    kinds = [entry["kind"] for entry in (await laptop.get("/auth/audit")).json()["items"]]
    assert "logged_out" in kinds


async def test_without_a_token_or_with_a_bad_one_nothing_is_shown(entativa: Environment) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YWRhOnB3"}):
        answer = await entativa.client.get("/auth/sessions", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_of_one_brand_means_nothing_to_the_other(entativa: Environment, vignette: Environment) -> None:
    ada = await entativa.member("ada")
    assert problem(await on(vignette.client, ada).get("/auth/sessions")) == (401, "bad_token")


async def test_an_account_has_a_limited_number_of_sessions(entativa: Environment) -> None:
    auth = entativa.platform.service(AuthService)
    sessions = replace(auth.sessions, policy=replace(auth.sessions.policy, max_sessions=3))
    services = {
        **entativa.platform.services,
        AuthService: replace(auth, log_ins=replace(auth.log_ins, sessions=sessions)),
    }
    first = await entativa.member("ada")
    async with open_client(replace(entativa.platform, services=services)) as client:
        people = [first]
        for _ in range(3):
            entativa.clock.advance(timedelta(seconds=1))
            if len(people) == 2:
                answer = await client.post("/auth/refresh", json={"refresh_token": first.tokens["refresh_token"]})
                first.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                entativa.clock.advance(timedelta(seconds=1))
            people.append(await replace(entativa, client=client).log_in("ada"))
        answers = [await member.get("/auth/sessions") for member in people]
        assert [answer.status_code for answer in answers] == [200, 401, 200, 200], "the one used longest ago has ended"
        assert problem(answers[1]) == (401, "session_ended")
        assert len(answers[0].json()["items"]) == 3
        kinds = [entry["kind"] for entry in (await people[-1].get("/auth/audit")).json()["items"]]
        assert kinds.count("session_revoked") == 1
