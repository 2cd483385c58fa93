"""Deactivation, deletion and suspension: who can ask for them, what they end, and what a log-in brings back."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from features.accounts.policy import AccountPolicy
from features.auth.policy import AuthPolicy
from features.auth.service import AuthService
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

GRACE = AccountPolicy().deletion_grace
RIGHT = {"password": PASSWORD}


async def _log_in(environment: Environment, login: str, password: str = PASSWORD) -> httpx.Response:
    return await environment.client.post("/auth/log-in", json={"login": login, "password": password})


async def _kinds(member: Member) -> Counter[str]:
    return Counter(entry["kind"] for entry in (await member.get("/auth/audit")).json()["items"])


@pytest.mark.parametrize("login", ["ada", "ada@example.org"])
async def test_a_deactivated_account_comes_back_with_a_log_in(entativa: Environment, login: str) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    other_device = await entativa.log_in("ada")
    assert (await ada.post("/account/deactivate", json=RIGHT)).status_code == 204
    for device in (ada, other_device):
        assert (await device.get("/profiles/me")).json()["code"] == "session_ended"
        refreshed = await device.post("/auth/refresh", json={"refresh_token": device.tokens["refresh_token"]})
        assert refreshed.json()["code"] == "bad_refresh_token"
    assert (await bob.get("/profiles/ada")).status_code == 404

    back = await _log_in(entativa, login)
    assert back.status_code == 200
    ada.headers = {"Authorization": f"Bearer {back.json()['access_token']}"}
    assert (await bob.get("/profiles/ada")).status_code == 200
    assert (await other_device.get("/profiles/me")).status_code == 401
    assert await _kinds(ada) == {"signed_up": 1, "deactivated": 1, "reactivated": 1, "logged_in": 2}


async def test_a_deletion_is_taken_back_until_the_grace_period_ends(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    for member in (ada, bob):
        answer = await member.post("/account/delete", json=RIGHT)
        assert answer.status_code == 202
        assert answer.json() == {"deletes_at": (entativa.clock() + GRACE).isoformat().replace("+00:00", "Z")}
        assert (await member.get("/profiles/me")).status_code == 401
    entativa.clock.advance(GRACE - timedelta(seconds=1))
    ada = await entativa.log_in("ada")
    assert (await ada.get("/profiles/me")).status_code == 200
    assert await _kinds(ada) == {"signed_up": 1, "deletion_requested": 1, "reactivated": 1, "logged_in": 1}
    entativa.clock.advance(timedelta(seconds=1))
    unknown = await _log_in(entativa, "nobody")
    for login in ("bob", "bob@example.org"):
        refused = await _log_in(entativa, login)
        assert (refused.status_code, refused.json()["code"]) == (401, "wrong_credentials")
        assert refused.json() | {"trace_id": ""} == unknown.json() | {"trace_id": ""}


async def test_a_name_and_an_address_stay_taken_while_their_owner_can_come_back(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await ada.post("/account/delete", json=RIGHT)
    body = {"email": "x@example.org", "username": "Ada", "password": PASSWORD, "name": "x"}
    assert (await entativa.client.post("/auth/sign-up", json=body)).json()["code"] == "username_taken"
    body |= {"email": "ada@example.org", "username": "ada2"}
    assert (await entativa.client.post("/auth/sign-up", json=body)).status_code == 202
    await entativa.drain()
    assert any("already has an account" in mail.text for mail in entativa.mails)


@pytest.mark.parametrize("path", ["/account/deactivate", "/account/delete"])
async def test_only_with_the_password_which_cannot_be_guessed(entativa: Environment, path: str) -> None:
    ada = await entativa.member("ada")
    assert (await entativa.client.post(path, json=RIGHT)).status_code == 401
    assert (await ada.post(path, json={})).json()["errors"][0]["field"] == "password"
    for _ in range(AuthPolicy().log_in_failures):
        key = {"Idempotency-Key": "the same for all"}
        answer = await ada.post(path, json={"password": "correct horse"}, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
        assert answer.json()["errors"][0]["field"] == "password"
    locked = await ada.post(path, json=RIGHT)
    assert (locked.status_code, locked.json()["code"]) == (429, "locked_out")
    assert int(locked.headers["Retry-After"]) > 0
    assert (await ada.get("/profiles/me")).status_code == 200
    assert await _kinds(ada) == {"signed_up": 1, "password_refused": AuthPolicy().log_in_failures}
    assert (await _log_in(entativa, "ada")).status_code == 200, "log-ins are counted apart"


async def test_who_logs_in_with_somebody_s_name_does_not_keep_them_from_leaving(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for _ in range(AuthPolicy().log_in_failures + 1):
        locked = await _log_in(entativa, "ada", "a wrong password")
    assert locked.json()["code"] == "locked_out"
    assert (await ada.post("/account/deactivate", json=RIGHT)).status_code == 204


async def test_a_suspended_account_has_no_way_in_and_learns_why_with_its_password_only(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await entativa.suspend(ada)
    assert (await ada.get("/profiles/me")).json()["code"] == "session_ended"
    for _ in range(AuthPolicy().log_in_failures + 2):  # right passwords lock nobody out
        refused = await _log_in(entativa, "ada")
        assert (refused.status_code, refused.json()["code"]) == (403, "account_suspended")
    assert (await _log_in(entativa, "ada", "a wrong password")).json()["code"] == "wrong_credentials"
    async with entativa.platform.database.unit_of_work() as uow:
        life = entativa.platform.service(AuthService).account_life
        await life.end_suspension(uow, UUID(ada.id), entativa.clock())
        await uow.commit()
    ada = await entativa.log_in("ada")
    entries = (await ada.get("/auth/audit")).json()["items"]
    by_operators = {entry["kind"] for entry in entries if entry["device"] == "Operator"}
    assert by_operators == {"suspended", "suspension_ended"}


async def test_a_log_in_and_a_suspension_at_once_leave_no_session(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suspension comes while the password is being hashed."""
    ada = await entativa.member("ada")
    log_ins: Any = entativa.platform.service(AuthService).log_ins
    hashing, verify = asyncio.Event(), asyncio.Event()
    reactivate = log_ins.account_life.reactivate

    async def slow(*arguments: Any) -> None:
        hashing.set()
        await verify.wait()
        await reactivate(*arguments)

    monkeypatch.setattr(type(log_ins.account_life), "reactivate", lambda _self, *arguments: slow(*arguments))
    log_in = asyncio.create_task(_log_in(entativa, "ada"))
    await hashing.wait()
    await entativa.suspend(ada)
    verify.set()
    refused = await log_in
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_account_state")
    pool = entativa.platform.database.pool
    assert await pool.fetchval("select count(*) from auth_sessions where ended_at is null") == 0
