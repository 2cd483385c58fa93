"""Sign-up over HTTP: confirmed by code, without disclosing accounts, and without storing a code in the clear."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cluster.events.log import partitions_of
from cluster.events.worker import drain_events
from cluster.local.processes import free_port
from cluster.mail import Mailer
from features.auth.consumers import consumers
from features.auth.service import AuthService
from tests.support.environment import PASSWORD, Environment
from tests.support.mail_trap import CaughtMail


async def sign_up(environment: Environment, username: str, email: str | None = None, **changes: Any) -> httpx.Response:
    body = {
        "email": email or f"{username}@example.org",
        "username": username,
        "name": username.title(),
        "password": PASSWORD,
    }
    return await environment.client.post("/auth/sign-up", json={**body, **changes})


async def confirm(environment: Environment, sign_up_id: str, code: str) -> httpx.Response:
    return await environment.client.post("/auth/confirm", json={"sign_up_id": sign_up_id, "code": code})


async def request_code(environment: Environment, username: str, email: str | None = None) -> tuple[str, CaughtMail]:
    """Sign up; returns the sign-up's id and the mail it caused."""
    answer = await sign_up(environment, username, email)
    assert answer.status_code == 202, answer.text
    await environment.drain()
    return answer.json()["sign_up_id"], environment.mails[-1]


def another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_code_from_the_mail_makes_the_account_and_logs_in(entativa: Environment) -> None:
    sign_up_id, mail = await request_code(entativa, "Ada", "Ada@EXAMPLE.org")
    assert mail.to == "Ada@example.org"
    assert "Entativa" in mail.subject
    answer = await confirm(entativa, sign_up_id, mail.code)
    assert answer.status_code == 201
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    profile = (await entativa.client.get("/profiles/me", headers=headers)).json()
    assert profile["username"] == "ada"
    for login in ("ada", "ADA", "ada@example.org", "Ada@Example.ORG"):
        answer = await entativa.client.post("/auth/log-in", json={"login": login, "password": PASSWORD})
        assert answer.status_code == 200, login


async def test_a_code_works_once(entativa: Environment) -> None:
    sign_up_id, mail = await request_code(entativa, "ada")
    assert (await confirm(entativa, sign_up_id, mail.code)).status_code == 201
    assert problem(await confirm(entativa, sign_up_id, mail.code)) == (404, "unknown_sign_up")


async def test_a_code_expires(entativa: Environment) -> None:
    sign_up_id, mail = await request_code(entativa, "ada")
    entativa.clock.advance(timedelta(minutes=10))
    assert problem(await confirm(entativa, sign_up_id, mail.code)) == (422, "code_expired")


async def test_a_code_can_be_guessed_five_times_only(entativa: Environment) -> None:
    sign_up_id, mail = await request_code(entativa, "ada")
    for _ in range(5):
        answer = await confirm(entativa, sign_up_id, another(mail.code))
        assert problem(answer) == (422, "wrong_code")
        assert answer.json()["errors"][0]["field"] == "code"
    assert problem(await confirm(entativa, sign_up_id, mail.code)) == (409, "too_many_attempts")


async def test_another_code_replaces_the_first_after_a_pause(entativa: Environment) -> None:
    sign_up_id, first = await request_code(entativa, "ada")

    async def resend() -> httpx.Response:
        return await entativa.client.post("/auth/resend", json={"sign_up_id": sign_up_id})

    answer = await resend()
    assert problem(answer) == (429, "code_just_sent")
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    for _ in range(3):
        entativa.clock.advance(timedelta(seconds=61))
        assert (await resend()).status_code == 202
        await entativa.drain()
    latest = entativa.mails[-1]
    entativa.clock.advance(timedelta(seconds=61))
    assert problem(await resend()) == (409, "too_many_codes")
    if latest.code != first.code:
        assert problem(await confirm(entativa, sign_up_id, first.code)) == (422, "wrong_code")
    assert (await confirm(entativa, sign_up_id, latest.code)).status_code == 201


async def test_nobody_learns_who_has_an_account(entativa: Environment) -> None:
    """Every step answers the same, in the same number of statements, for a registered and an unknown address; only
    the owner, by mail, is told."""
    await entativa.member("ada")
    entativa.clock.advance(timedelta(minutes=1))
    seen = []
    for username, email in (("mallory", "ada@example.org"), ("newcomer", "newcomer@example.org")):
        answer = await sign_up(entativa, username, email)
        sign_up_id = answer.json()["sign_up_id"]
        steps = [answer]
        early = await confirm(entativa, sign_up_id, "000000")
        await entativa.drain()
        mail = entativa.mails[-1]
        assert mail.to == email
        assert ("already have" in mail.subject) == (username == "mallory")
        code = "000000" if username == "mallory" else another(mail.code)
        steps += [early, await confirm(entativa, sign_up_id, code)]
        steps.append(await entativa.client.post("/auth/resend", json={"sign_up_id": sign_up_id}))
        log_in = {"login": email, "password": PASSWORD + "!"}
        steps.append(await entativa.client.post("/auth/log-in", json=log_in))
        entativa.clock.advance(timedelta(minutes=10))
        steps.append(await confirm(entativa, sign_up_id, code))
        seen.append(
            [
                (step.status_code, step.json().get("code"), sorted(step.json()), step.headers.get("Server-Timing"))
                for step in steps
            ]
        )
    assert seen[0] == seen[1]


async def test_signing_up_with_somebody_elses_address_and_own_password_tells_nothing(entativa: Environment) -> None:
    await entativa.member("ada")
    answers = []
    for username, email in (("mallory", "ada@example.org"), ("newcomer", "newcomer@example.org")):
        await sign_up(entativa, username, email, password="mallory's own password")
        await entativa.drain()
        body = {"login": email, "password": "mallory's own password"}
        answers.append(problem(await entativa.client.post("/auth/log-in", json=body)))
    assert answers == [(403, "email_not_confirmed")] * 2
    assert (await entativa.log_in("ada")).id  # and the owner is not disturbed


async def test_an_unconfirmed_account_cannot_log_in(entativa: Environment) -> None:
    await request_code(entativa, "ada")
    body = {"login": "ada@example.org", "password": PASSWORD}
    assert problem(await entativa.client.post("/auth/log-in", json=body)) == (403, "email_not_confirmed")
    body["password"] = "another password"
    assert problem(await entativa.client.post("/auth/log-in", json=body)) == (401, "wrong_credentials")


async def test_an_address_belongs_to_whoever_confirms_it(entativa: Environment) -> None:
    """Somebody who signs up with another person's address cannot get their own password confirmed by the owner."""
    theirs, their_mail = await request_code(entativa, "mallory", "ada@example.org")
    mine, my_mail = await request_code(entativa, "ada", "ada@example.org")
    if my_mail.code != their_mail.code:
        assert problem(await confirm(entativa, theirs, my_mail.code)) == (422, "wrong_code")
    assert (await confirm(entativa, mine, my_mail.code)).status_code == 201
    assert problem(await confirm(entativa, theirs, their_mail.code)) == (409, "email_registered")


async def test_two_sign_ups_confirmed_at_once_make_one_account(entativa: Environment) -> None:
    one, one_mail = await request_code(entativa, "ada", "ada@example.org")
    other, other_mail = await request_code(entativa, "countess", "ada@example.org")
    answers = await asyncio.gather(
        confirm(entativa, one, one_mail.code),
        confirm(entativa, other, other_mail.code),
        confirm(entativa, one, one_mail.code),
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([201, 404, 409], [201, 409, 409])
    assert await entativa.platform.database.pool.fetchval("select count(*) from accounts") == 1


async def test_a_sign_up_is_forgotten_after_a_day(entativa: Environment) -> None:
    sign_up_id, _ = await request_code(entativa, "ada")
    entativa.clock.advance(timedelta(days=1))
    answer = await entativa.client.post("/auth/resend", json={"sign_up_id": sign_up_id})
    assert problem(answer) == (404, "unknown_sign_up")
    await request_code(entativa, "grace")
    assert await entativa.platform.database.pool.fetchval("select count(*) from auth_sign_ups") == 1


async def test_a_taken_username_is_told(entativa: Environment) -> None:
    await entativa.member("ada")
    answer = await sign_up(entativa, "ADA", "other@example.org")
    assert problem(answer) == (409, "username_taken")
    assert answer.json()["errors"][0]["field"] == "username"


async def test_a_username_taken_before_the_code_came_back_is_told(entativa: Environment) -> None:
    slow, slow_mail = await request_code(entativa, "ada", "slow@example.org")
    fast, fast_mail = await request_code(entativa, "ada", "fast@example.org")
    assert (await confirm(entativa, fast, fast_mail.code)).status_code == 201
    assert problem(await confirm(entativa, slow, slow_mail.code)) == (409, "username_taken")


@pytest.mark.parametrize(
    ("field", "value"), [("email", "not an address"), ("username", "ab"), ("name", " "), ("password", "short")]
)
async def test_bad_input_names_its_field(entativa: Environment, field: str, value: str) -> None:
    body = {"email": "ada@example.org", "username": "ada", "name": "Ada", "password": PASSWORD, field: value}
    answer = await entativa.client.post("/auth/sign-up", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_repeated_sign_up_with_the_same_key_sends_one_mail(entativa: Environment) -> None:
    body = {"email": "ada@example.org", "username": "ada", "name": "Ada", "password": PASSWORD}
    headers = {"Idempotency-Key": "5f0c7a52-sign-up"}
    first = await entativa.client.post("/auth/sign-up", json=body, headers=headers)
    again = await entativa.client.post("/auth/sign-up", json=body, headers=headers)
    assert first.json() == again.json()
    await entativa.drain()
    assert len(entativa.mails) == 1


async def test_a_code_is_mailed_once_the_mail_server_is_back(entativa: Environment) -> None:
    answer = await sign_up(entativa, "ada")
    platform, clock = entativa.platform, entativa.clock
    for url, mails in ((f"smtp://127.0.0.1:{free_port()}", 0), (entativa.settings.smtp_url.get_secret_value(), 1)):
        await drain_events(
            consumers(platform.service(AuthService), Mailer(url, "me@example.org"), clock),
            platform.database,
            entativa.event_log,
        )
        assert len(entativa.mails) == mails
        await platform.database.pool.execute("update event_retries set due_at = now()")
    assert (await confirm(entativa, answer.json()["sign_up_id"], entativa.mails[-1].code)).status_code == 201


async def test_neither_codes_nor_passwords_nor_tokens_are_stored(entativa: Environment) -> None:
    """Dumps of the database and of Redis, taken between the steps, hold nothing that lets their reader in."""
    sign_up_id, mail = await request_code(entativa, "ada")
    values = await stored_values(entativa)
    tokens = (await confirm(entativa, sign_up_id, mail.code)).json()
    await entativa.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    await entativa.drain()
    values += await stored_values(entativa)
    assert "ada" in values
    assert mail.code not in values
    for secret in (PASSWORD, tokens["refresh_token"], tokens["access_token"]):
        assert all(secret not in value for value in values)


async def test_the_event_log_holds_neither_the_code_nor_the_address(entativa: Environment) -> None:
    _, mail = await request_code(entativa, "ada")
    partitions = partitions_of(await entativa.event_log.topics())
    fetched = await entativa.event_log.read(dict.fromkeys(partitions, 0), count=100)
    payloads = [record.event.payload for records in fetched.records.values() for record in records]
    assert payloads
    assert mail.code not in str(payloads)
    assert mail.to not in str(payloads)


async def stored_values(environment: Environment) -> list[str]:
    """Every value in every column and every Redis string."""
    pool = environment.platform.database.pool
    tables = await pool.fetch("select tablename from pg_tables where schemaname = 'public'")
    values = []
    for table in tables:
        for row in await pool.fetch(f"select * from {table['tablename']}"):
            values += [str(value) for value in row]
    for key in await environment.platform.redis.keys():
        if await environment.platform.redis.type(key) == b"string":
            values.append(str(await environment.platform.redis.get(key)))
    return values
