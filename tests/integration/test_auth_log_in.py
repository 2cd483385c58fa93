"""Log-in and refresh over HTTP: lock-out, rotation, reuse, and the audit log."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from cluster.retention import sweep
from deployments.platform import brand_tables
from features.auth.keys import rotate
from features.auth.passwords import Hasher, PasswordHashing
from features.auth.policy import AuthPolicy
from features.auth.service import AuthService
from tests.support.environment import PASSWORD, Environment, open_client

LOCK_OUT = timedelta(minutes=15)


async def log_in(environment: Environment, login: str, password: str) -> httpx.Response:
    return await environment.client.post("/auth/log-in", json={"login": login, "password": password})


async def refresh(environment: Environment, refresh_token: str) -> httpx.Response:
    return await environment.client.post("/auth/refresh", json={"refresh_token": refresh_token})


async def get_sessions(environment: Environment, access_token: str) -> httpx.Response:
    return await environment.client.get("/auth/sessions", headers={"Authorization": f"Bearer {access_token}"})


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_an_unknown_person_and_a_wrong_password_get_the_same_answer(entativa: Environment) -> None:
    await entativa.member("ada")
    answers = []
    for login in ("ada", "grace"):
        answer = await log_in(entativa, login, "wrong password")
        body = answer.json()
        del body["trace_id"]
        answers.append((answer.status_code, body))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


@pytest.mark.parametrize("known", [True, False])
async def test_repeated_failures_lock_out_whether_the_account_exists_or_not(entativa: Environment, known: bool) -> None:
    if known:
        await entativa.member("ada")
    for _ in range(10):
        assert problem(await log_in(entativa, "ada", "wrong password")) == (401, "wrong_credentials")
    answer = await log_in(entativa, " ADA", PASSWORD)
    assert problem(answer) == (429, "locked_out")
    assert 0 < int(answer.headers["Retry-After"]) <= LOCK_OUT.total_seconds() + 1
    entativa.clock.advance(LOCK_OUT)
    answer = await log_in(entativa, "ada", PASSWORD)
    assert answer.status_code == (200 if known else 401)


async def test_guesses_made_at_once_all_count(entativa: Environment) -> None:
    await entativa.member("ada")
    await asyncio.gather(*(log_in(entativa, "ada", f"wrong password {number}") for number in range(10)))
    assert problem(await log_in(entativa, "ada", PASSWORD)) == (429, "locked_out")


async def test_guesses_that_the_client_cancels_while_they_are_hashed_all_count(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await entativa.member("ada")
    hashing = asyncio.Event()

    async def endless(*_: object) -> bool:
        hashing.set()
        await asyncio.Event().wait()
        return False

    with monkeypatch.context() as slow:
        slow.setattr(Hasher, "verify", endless)
        for number in range(10):
            hashing.clear()
            guess = asyncio.create_task(log_in(entativa, "ada", f"wrong password {number}"))
            await hashing.wait()
            guess.cancel()
            await asyncio.wait({guess})
    assert problem(await log_in(entativa, "ada", PASSWORD)) == (429, "locked_out")


async def test_a_lock_out_starts_counting_anew(entativa: Environment) -> None:
    await entativa.member("ada")
    for _ in range(10):
        await log_in(entativa, "ada", "wrong password")
    entativa.clock.advance(LOCK_OUT)
    for _ in range(9):
        assert problem(await log_in(entativa, "ada", "wrong password")) == (401, "wrong_credentials")
    assert (await log_in(entativa, "ada", PASSWORD)).status_code == 200


async def test_old_failures_and_failures_before_a_success_do_not_count(entativa: Environment) -> None:
    await entativa.member("ada")
    for _ in range(2):
        for _ in range(9):
            await log_in(entativa, "ada", "wrong password")
        assert (await log_in(entativa, "ada", PASSWORD)).status_code == 200
    for _ in range(9):
        await log_in(entativa, "ada", "wrong password")
    entativa.clock.advance(timedelta(minutes=15))
    for _ in range(9):
        await log_in(entativa, "ada", "wrong password")
    assert (await log_in(entativa, "ada", PASSWORD)).status_code == 200


async def test_a_password_hash_is_renewed_when_the_policy_asks_for_more(entativa: Environment) -> None:
    await entativa.member("ada")
    pool = entativa.platform.database.pool
    before = await pool.fetchval("select password_hash from accounts")
    dearer = replace(entativa.brand.policy(AuthPolicy), hash_passes=3)
    auth = entativa.platform.service(AuthService)
    log_ins = replace(auth.log_ins, policy=dearer, hashing=PasswordHashing(dearer))
    services = {**entativa.platform.services, AuthService: replace(auth, log_ins=log_ins)}
    platform = replace(entativa.platform, services=services)
    async with open_client(platform) as client:
        for _ in range(2):
            answer = await client.post("/auth/log-in", json={"login": "ada", "password": PASSWORD})
            assert answer.status_code == 200
    after = await pool.fetchval("select password_hash from accounts")
    assert "t=1," in before
    assert "t=3," in after
    assert (await log_in(entativa, "ada", PASSWORD)).status_code == 200


async def test_refreshing_gives_new_tokens_of_the_same_session(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    answer = await refresh(entativa, ada.tokens["refresh_token"])
    assert answer.status_code == 200
    tokens = answer.json()
    assert tokens["session_id"] == ada.tokens["session_id"]
    assert tokens["refresh_token"] != ada.tokens["refresh_token"]
    assert (await get_sessions(entativa, tokens["access_token"])).status_code == 200


async def test_an_access_token_expires_and_refreshing_goes_on_for_as_long_as_it_is_done(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    token = ada.tokens["refresh_token"]
    for _ in range(3):
        entativa.clock.advance(timedelta(days=29))
        assert problem(await ada.get("/auth/sessions")) == (401, "token_expired")
        token = (await refresh(entativa, token)).json()["refresh_token"]
    entativa.clock.advance(timedelta(days=30))
    assert problem(await refresh(entativa, token)) == (401, "bad_refresh_token")


async def test_a_reused_refresh_token_ends_its_session_for_good(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    stolen = ada.tokens["refresh_token"]
    latest = (await refresh(entativa, stolen)).json()
    entativa.clock.advance(timedelta(seconds=31))
    assert problem(await refresh(entativa, stolen)) == (401, "refresh_token_reused")
    assert problem(await refresh(entativa, latest["refresh_token"])) == (401, "bad_refresh_token")
    assert problem(await get_sessions(entativa, latest["access_token"])) == (401, "session_ended")
    again = await entativa.log_in("ada")
    kinds = [entry["kind"] for entry in (await again.get("/auth/audit")).json()["items"]]
    assert "refresh_token_reused" in kinds


async def test_a_lost_answer_may_be_asked_for_again(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    lost = (await refresh(entativa, ada.tokens["refresh_token"])).json()
    entativa.clock.advance(timedelta(seconds=30))
    retried = await refresh(entativa, ada.tokens["refresh_token"])
    assert retried.status_code == 200
    following = await refresh(entativa, retried.json()["refresh_token"])
    assert following.status_code == 200
    # Had somebody caught the answer that was lost, using it would show.
    assert problem(await refresh(entativa, lost["refresh_token"])) == (401, "refresh_token_reused")
    assert problem(await refresh(entativa, following.json()["refresh_token"])) == (401, "bad_refresh_token")


async def test_one_refresh_token_sent_twice_at_once_leaves_one_working_successor(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    answers = await asyncio.gather(*(refresh(entativa, ada.tokens["refresh_token"]) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    outcomes = [await refresh(entativa, answer.json()["refresh_token"]) for answer in answers]
    assert 401 in [outcome.status_code for outcome in outcomes]
    assert "refresh_token_reused" in [outcome.json().get("code") for outcome in outcomes]


async def test_an_answer_that_arrived_cannot_be_asked_for_again(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    arrived = (await refresh(entativa, ada.tokens["refresh_token"])).json()
    assert (await refresh(entativa, arrived["refresh_token"])).status_code == 200
    assert problem(await refresh(entativa, ada.tokens["refresh_token"])) == (401, "refresh_token_reused")


async def test_a_stolen_token_is_noticed_however_often_the_thief_has_refreshed(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    auth, database = entativa.platform.service(AuthService), entativa.platform.database
    stolen = newest = ada.tokens["refresh_token"]
    for _ in range(150):
        async with database.unit_of_work() as uow:
            newest = (await auth.sessions.refresh(uow, newest, "a device", entativa.clock())).refresh_token
            await uow.commit()
    assert problem(await refresh(entativa, stolen)) == (401, "refresh_token_reused")
    assert problem(await refresh(entativa, newest)) == (401, "bad_refresh_token")


async def test_sessions_of_people_who_never_come_back_go(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    tables, database = brand_tables(entativa.brand), entativa.platform.database
    sessions = "select (select count(*) from auth_sessions), (select count(*) from auth_refresh_tokens)"
    await refresh(entativa, ada.tokens["refresh_token"])
    for days, left in ((29, (1, 2)), (31, (0, 0))):
        await sweep(database, tables, entativa.clock() + timedelta(days=days))
        assert [tuple(row) for row in await database.pool.fetch(sessions)] == [left]


async def test_an_invented_refresh_token_is_refused(entativa: Environment) -> None:
    assert problem(await refresh(entativa, "invented")) == (401, "bad_refresh_token")


async def test_rotating_keys_disturbs_nobody(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    folder: Path = entativa.settings.keys_directory / entativa.brand.name
    entativa.clock.advance(timedelta(minutes=1))
    kid, _ = rotate(folder, entativa.clock(), keep=timedelta(minutes=20))
    published = (await entativa.client.get("http://test/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in published][-1] == kid
    assert len(published) == 2
    assert (await ada.get("/auth/sessions")).status_code == 200
    newer = await entativa.log_in("ada")
    assert (await newer.get("/auth/sessions")).status_code == 200


async def test_the_audit_log_tells_the_owner_and_cannot_be_changed(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await log_in(entativa, "ada", "wrong password")
    entativa.clock.advance(timedelta(seconds=1))
    await entativa.client.post(
        "/auth/log-in",
        json={"login": "ada", "password": PASSWORD},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"},
    )
    first = (await ada.get("/auth/audit", params={"limit": 1})).json()
    assert [(entry["kind"], entry["device"]) for entry in first["items"]] == [("logged_in", "Firefox on Linux")]
    rest = (await ada.get("/auth/audit", params={"cursor": first["next_cursor"]})).json()
    assert {entry["kind"] for entry in rest["items"]} == {"signed_up", "log_in_failed"}
    pool = entativa.platform.database.pool
    for statement in ("update auth_audit set device = ''", "delete from auth_audit"):
        with pytest.raises(Exception, match="append-only"):
            await pool.execute(statement)
    await pool.execute("delete from accounts")
    assert await pool.fetchval("select count(*) from auth_audit") == 0
