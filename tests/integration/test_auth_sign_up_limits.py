"""Sign-ups with other people's addresses: how many mails they can cause, and that owners can still sign up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx

from features.auth.policy import AuthPolicy
from tests.support.environment import PASSWORD, Environment, open_client

POLICY = AuthPolicy()


@asynccontextmanager
async def behind_a_proxy(environment: Environment) -> AsyncIterator[httpx.AsyncClient]:
    """The application with the addresses of its clients from X-Forwarded-For."""
    settings = environment.settings.model_copy(update={"trusted_proxies": 1})
    async with open_client(replace(environment.platform, settings=settings)) as client:
        yield client


async def sign_up(client: httpx.AsyncClient, source: str, username: str, email: str) -> httpx.Response:
    body = {"email": email, "username": username, "name": username, "password": PASSWORD}
    return await client.post("/auth/sign-up", json=body, headers={"X-Forwarded-For": source})


def outcome(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_one_stranger_cannot_use_up_the_mails_of_an_address(entativa: Environment) -> None:
    async with behind_a_proxy(entativa) as client:
        answers = await asyncio.gather(
            *(sign_up(client, "192.0.2.1", f"mallory{number}", "ada@example.org") for number in range(12))
        )
        outcomes = sorted(map(outcome, answers))
        assert outcomes == [(202, "")] * 5 + [(409, "too_many_sign_ups")] * 7, "also of simultaneous ones"
        assert outcome(await sign_up(client, "192.0.2.1", "mallory", "ADA@example.org")) == (409, "too_many_sign_ups")
        assert outcome(await sign_up(client, "192.0.2.2", "ada", "ada@example.org")) == (202, "")
        await entativa.drain()
        assert len(entativa.mails) == 6
        assert not any("mallory" in mail.text + mail.subject for mail in entativa.mails), "who signs up writes no mails"


async def test_one_stranger_cannot_reach_a_mailbox_by_its_subaddresses(entativa: Environment) -> None:
    async with behind_a_proxy(entativa) as client:
        for number in range(POLICY.mails_per_email_and_requester):
            answer = await sign_up(client, "192.0.2.1", f"mallory{number}", f"ada+{number}@example.org")
            assert outcome(answer) == (202, "")
        for email in ("ada@example.org", "Ada+x@example.org"):
            assert outcome(await sign_up(client, "192.0.2.1", "mallory", email)) == (409, "too_many_sign_ups")
        assert outcome(await sign_up(client, "192.0.2.1", "mallory", "adam@example.org")) == (202, "")
        assert outcome(await sign_up(client, "192.0.2.2", "ada", "ada@example.org")) == (202, "")


async def test_an_address_gets_a_limited_number_of_mails_a_day_from_everybody(entativa: Environment) -> None:
    await entativa.member("ada")  # an account changes nothing
    entativa.mails.clear()
    async with behind_a_proxy(entativa) as client:
        for email in ("ada@example.org", "newcomer@example.org"):
            entativa.mails.clear()
            first = await sign_up(client, "192.0.2.1", "mallory", email)
            for number in range(1, POLICY.mails_per_email - 1):
                answer = await sign_up(client, f"192.0.2.{number + 1}", f"mallory{number}", email)
                assert outcome(answer) == (202, "")
            entativa.clock.advance(POLICY.code_resend_after)
            resend = {"sign_up_id": first.json()["sign_up_id"]}
            assert (await client.post("/auth/resend", json=resend)).status_code == 202
            entativa.clock.advance(POLICY.code_resend_after)
            assert outcome(await client.post("/auth/resend", json=resend)) == (409, "too_many_codes")
            assert outcome(await sign_up(client, "192.0.2.99", "ada2", email)) == (409, "too_many_sign_ups")
            await entativa.drain()
            assert len(entativa.mails) == POLICY.mails_per_email
            assert all(
                "ignore this mail" in mail.text and "10 such mails a day" in mail.text for mail in entativa.mails
            )
        entativa.clock.advance(timedelta(days=1))
        assert outcome(await sign_up(client, "192.0.2.99", "ada2", "ada@example.org")) == (202, "")


async def test_one_stranger_cannot_have_mails_sent_to_everybody(entativa: Environment) -> None:
    async with behind_a_proxy(entativa) as client:
        for number in range(POLICY.mails_per_requester):
            answer = await sign_up(client, "192.0.2.1", f"mallory{number}", f"victim{number}@example.org")
            assert outcome(answer) == (202, "")
        entativa.clock.advance(timedelta(hours=1))
        refused = await sign_up(client, "192.0.2.1", "mallory", "another@example.org")
        assert outcome(refused) == (429, "too_many_mails")
        assert 0 < int(refused.headers["Retry-After"]) <= 23 * 3600 + 1
        assert outcome(await sign_up(client, "192.0.2.2", "ada", "ada@example.org")) == (202, "")


async def test_an_office_whose_people_confirm_is_not_refused(entativa: Environment) -> None:
    for number in range(POLICY.mails_per_email_and_requester + 2):
        await entativa.member(f"ada{number}")
    pool = entativa.platform.database.pool
    assert await pool.fetchval("select count(*) from auth_sign_ups") == 0
