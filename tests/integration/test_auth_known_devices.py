"""Lock-outs over HTTP: who is counted, and that nobody can keep the owner of an account from a known device."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from features.auth.policy import AuthPolicy
from features.auth.service import AuthService
from tests.support.environment import PASSWORD, Environment, open_client

POLICY = AuthPolicy()
WRONG = "not the password"


async def log_in(client: httpx.AsyncClient, login: str, password: str, token: str | None = None) -> tuple[int, str]:
    body = {"login": login, "password": password} | ({"device_token": token} if token else {})
    answer = await client.post("/auth/log-in", json=body)
    return answer.status_code, answer.json().get("code", "")


async def device_token(client: httpx.AsyncClient, login: str) -> str:
    answer = await client.post("/auth/log-in", json={"login": login, "password": PASSWORD})
    return str(answer.json()["device_token"])


async def guess(client: httpx.AsyncClient, login: str, token: str | None = None) -> None:
    """Uses up the attempts."""
    for _ in range(POLICY.log_in_failures):
        assert await log_in(client, login, WRONG, token) == (401, "wrong_credentials")
    assert await log_in(client, login, WRONG, token) == (429, "locked_out")


@pytest.mark.parametrize("way", ["confirm", "log_in"])
async def test_a_known_device_gets_in_while_others_are_locked_out(entativa: Environment, way: str) -> None:
    client, ada = entativa.client, await entativa.member("ada")
    token = ada.tokens["device_token"] if way == "confirm" else await device_token(client, "ada")
    await guess(client, "ada")
    await guess(client, "ada@example.org")
    for login in ("ada", "ada@example.org"):
        answer = await client.post("/auth/log-in", json={"login": login, "password": PASSWORD, "device_token": token})
        assert answer.status_code == 200, answer.text
        token = answer.json()["device_token"]
        assert await log_in(client, login, PASSWORD) == (429, "locked_out"), "the device's log-in helps nobody else"


async def test_a_known_device_has_as_many_attempts_as_others(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    token = ada.tokens["device_token"]
    await guess(entativa.client, "ada", token)
    assert await log_in(entativa.client, "ada", PASSWORD, token) == (429, "locked_out")
    assert await log_in(entativa.client, "ada@example.org", PASSWORD, token) == (429, "locked_out")
    newer = await device_token(entativa.client, "ada")
    entativa.clock.advance(POLICY.lock_out)
    answer = await entativa.client.post(
        "/auth/log-in", json={"login": "ada", "password": PASSWORD, "device_token": token}
    )
    assert answer.status_code == 200
    # The token that it got instead is still the same device.
    await guess(entativa.client, "ada", answer.json()["device_token"])
    assert await log_in(entativa.client, "ada", PASSWORD, token) == (429, "locked_out")
    assert await log_in(entativa.client, "ada", PASSWORD, newer) == (200, "")


@pytest.mark.parametrize("kind", ["stolen_from_bob", "forged", "expired", "of_the_password_before"])
async def test_any_other_token_is_as_none(entativa: Environment, kind: str) -> None:
    client, ada, bob = entativa.client, await entativa.member("ada"), await entativa.member("bob")
    token: str = ada.tokens["device_token"]
    if kind == "stolen_from_bob":
        token = bob.tokens["device_token"]
    elif kind == "forged":
        token = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    elif kind == "expired":
        entativa.clock.advance(POLICY.device_token_lifetime)
    else:
        pool = entativa.platform.database.pool
        others = await pool.fetchval("select password_hash from accounts where email = 'bob@example.org'")
        await pool.execute("update accounts set password_hash = $1 where email = 'ada@example.org'", others)
    await guess(client, "ada", token)
    assert await log_in(client, "ada", PASSWORD, token) == (429, "locked_out")
    assert await log_in(client, "ada", PASSWORD) == (429, "locked_out"), "its attempts are counted with those of others"


@asynccontextmanager
async def behind_a_proxy(environment: Environment, **policy: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The application with the addresses of its clients from X-Forwarded-For."""
    auth = environment.platform.service(AuthService)
    log_ins = replace(auth.log_ins, policy=replace(auth.log_ins.policy, **policy))
    services = {**environment.platform.services, AuthService: replace(auth, log_ins=log_ins)}
    settings = environment.settings.model_copy(update={"trusted_proxies": 1})
    async with open_client(replace(environment.platform, services=services, settings=settings)) as client:
        yield client


async def test_an_address_can_lock_out_few_people(entativa: Environment) -> None:
    people = [await entativa.member(name) for name in ("ada", "bob", "carl")]
    async with behind_a_proxy(entativa, log_in_failures_per_requester=12) as client:
        client.headers["X-Forwarded-For"] = "192.0.2.1"
        for _ in range(POLICY.log_in_failures):
            await log_in(client, "ada", WRONG)
        assert await log_in(client, "bob", PASSWORD) == (200, ""), "which hides no failures"
        for _ in range(2):
            assert await log_in(client, "bob", WRONG) == (401, "wrong_credentials")
        for login in ("bob", "carl", "nobody"):
            assert await log_in(client, login, PASSWORD) == (429, "locked_out")
        assert await log_in(client, "carl", PASSWORD, people[2].tokens["device_token"]) == (200, "")
        client.headers["X-Forwarded-For"] = "192.0.2.2"
        assert await log_in(client, "bob", PASSWORD) == (200, "")
        assert await log_in(client, "carl", PASSWORD) == (200, "")
        client.headers["X-Forwarded-For"] = "192.0.2.1"
        entativa.clock.advance(POLICY.lock_out + timedelta(seconds=1))
        assert await log_in(client, "carl", PASSWORD) == (200, "")


async def test_successes_do_not_count_against_an_address(entativa: Environment) -> None:
    await entativa.member("ada")
    async with behind_a_proxy(entativa, log_in_failures_per_requester=2) as client:
        for _ in range(4):
            assert await log_in(client, "ada", PASSWORD) == (200, "")
        assert await log_in(client, "ada", WRONG) == (401, "wrong_credentials")
        assert await log_in(client, "ada", PASSWORD) == (200, ""), "the last attempt that an address has"
        assert await log_in(client, "ada", PASSWORD) == (200, "")


async def test_identifiers_are_not_mistaken_for_other_things_that_are_counted(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for identifier in (f"account {ada.id}", f"account\0{ada.id}", f"requester {'127.0.0.1'}"):
        for _ in range(POLICY.log_in_failures + 1):
            await log_in(entativa.client, identifier, WRONG)
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).status_code == 204
