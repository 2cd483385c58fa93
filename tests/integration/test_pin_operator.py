"""Operators of PINs keep to ten guesses, whatever happens to them."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from itertools import cycle

import asyncpg
import httpx
import jwt
import pytest

from crypto.backup import (
    Answer,
    Argon2Parameters,
    GuessesExhausted,
    GuessLimiter,
    PinAttempt,
    PinSetup,
    RecoveryKey,
    StoreRolledBack,
    WrongSecret,
    set_pin,
)
from pin_operator.app import create_app
from pin_operator.limiter import Limiter, NoPin, WrongOperator
from pin_operator.rate import RequestRate
from pin_operator.sealing import StateRejected
from pin_operator.store import Stores
from tests.support.pin_operators import RNG, BelievedTokens, PinOperators, pin_operators
from tests.support.servers import Servers, execute

QUICK = Argon2Parameters(memory=32, time=1, lanes=1)
ADA, BOB = "entativa:" + "a" * 32, "entativa:" + "b" * 32


@pytest.fixture
async def operators(servers: Servers) -> AsyncIterator[PinOperators]:
    async with pin_operators(servers) as made:
        yield made


def new_pin(pin: str = "2580") -> tuple[RecoveryKey, PinSetup]:
    key = RecoveryKey.generate(RNG)
    return key, set_pin(pin, key, RNG, parameters=QUICK)


async def test_a_hundred_guesses_at_once_with_restarts_are_ten(operators: PinOperators) -> None:
    _, setup = new_pin()
    await operators.enrol(ADA, setup)
    answered: list[Answer] = []
    refused = 0

    async def guess(limiter: Limiter) -> None:
        nonlocal refused
        try:
            answered.append(await limiter.guess(ADA, PinAttempt("0000", RNG).element))
        except GuessesExhausted:
            refused += 1

    for at_once in (3, 97):  # with a restart in between, and two processes of the same operator at the end
        first = operators.limiters[0]
        other = Limiter(1, await Stores.open(*operators.addresses[0], pool_size=4), first.sealer)
        await asyncio.gather(*(guess(one) for one, _ in zip(cycle((first, other)), range(at_once), strict=False)))
        await other.stores.close()
        await operators.stop()
        await operators.start()
    assert (len(answered), refused) == (10, 90)
    assert sorted(answer.remaining for answer in answered) == list(range(10))
    with pytest.raises(GuessesExhausted):
        await operators.limiters[0].guess(ADA, PinAttempt("2580", RNG).element)
    assert await operators.limiters[0].remaining(ADA) == 0
    assert await operators.limiters[1].remaining(ADA) == 10
    state = operators.limiters[0].sealer.open(ADA, await operators.limiters[0].stores.state(ADA) or b"")
    assert GuessLimiter.restore(state, ADA).share is None  # gone, not only refused


async def test_the_right_pin_gives_the_key_and_the_guesses_back(operators: PinOperators) -> None:
    key, setup = new_pin()
    await operators.enrol(ADA, setup)
    wrong = PinAttempt("0000", RNG)
    with pytest.raises(WrongSecret):
        wrong.recover(await operators.answers(ADA, wrong), setup.envelope)
    right = PinAttempt("2580", RNG)
    found = right.recover(await operators.answers(ADA, right), setup.envelope)
    assert found.recovery_key == key
    for limiter in operators.limiters:
        assert await limiter.remaining(ADA) == 8
        with pytest.raises(WrongSecret):  # of another operator
            await limiter.confirm(ADA, found.tokens[3 - limiter.index])
        await limiter.confirm(ADA, found.tokens[limiter.index])
        await limiter.note_archive(ADA, found.tokens[limiter.index], 7)
        await limiter.note_archive(ADA, found.tokens[limiter.index], 5)
        assert await limiter.remaining(ADA) == 10
    again = PinAttempt("2580", RNG)
    assert again.recover(await operators.answers(ADA, again), setup.envelope).archive == 7


async def test_a_restored_copy_of_the_states_answers_nothing(operators: PinOperators) -> None:
    _, setup = new_pin()
    await operators.enrol(ADA, setup)
    limiter = operators.limiters[0]
    copy = await limiter.stores.state(ADA)
    assert copy is not None
    await limiter.guess(ADA, PinAttempt("0000", RNG).element)
    await limiter.stores.write_state(ADA, copy)
    with pytest.raises(StoreRolledBack):
        await limiter.guess(ADA, PinAttempt("0001", RNG).element)
    await limiter.enrol(BOB, new_pin()[1].enrolments[0])
    await limiter.stores.write_state(BOB, copy)
    with pytest.raises(StateRejected):  # not in another account's place either
        await limiter.guess(BOB, PinAttempt("0001", RNG).element)
    await limiter.enrol(ADA, new_pin()[1].enrolments[0])
    assert await limiter.remaining(ADA) == 10


async def test_nobody_is_answered_whose_anchor_did_not_move(operators: PinOperators) -> None:
    _, setup = new_pin()
    await operators.enrol(ADA, setup)
    limiter, (_, anchors) = operators.limiters[0], operators.addresses[0]
    await execute(anchors, "alter table pin_anchors add constraint stuck check (sequence < 2)")
    for _ in range(2):
        with pytest.raises(asyncpg.CheckViolationError):
            await limiter.guess(ADA, PinAttempt("2580", RNG).element)
    assert await limiter.remaining(ADA) == 8  # lost, not free
    await execute(anchors, "alter table pin_anchors drop constraint stuck")
    assert (await limiter.guess(ADA, PinAttempt("2580", RNG).element)).remaining == 7


async def test_who_forgets_a_pin_keeps_its_anchor(operators: PinOperators) -> None:
    limiter = operators.limiters[0]
    with pytest.raises(NoPin):
        await limiter.guess(ADA, PinAttempt("2580", RNG).element)
    with pytest.raises(WrongOperator):
        await limiter.enrol(ADA, new_pin()[1].enrolments[1])
    await limiter.enrol(ADA, new_pin()[1].enrolments[0])
    copy = await limiter.stores.state(ADA)
    assert copy is not None
    await limiter.guess(ADA, PinAttempt("2580", RNG).element)
    await limiter.forget(ADA)
    with pytest.raises(NoPin):
        await limiter.remaining(ADA)
    await limiter.stores.write_state(ADA, copy)
    with pytest.raises(StoreRolledBack):
        await limiter.guess(ADA, PinAttempt("2580", RNG).element)


async def test_over_http_while_the_clock_jumps(operators: PinOperators) -> None:
    clock = cycle((0.0, 1e9, -1e9, 50.0))
    app = create_app(operators.limiters[0], BelievedTokens({}), RequestRate(30, 1e-6), lambda: next(clock))
    transport = httpx.ASGITransport(app=app)
    token = jwt.encode({"sub": "a" * 32}, "a key that nobody looks at, of any length")
    headers = {"Authorization": f"Bearer {token}"}
    _, setup = new_pin()
    element = {"element": b64encode(PinAttempt("0000", RNG).element).decode()}
    async with httpx.AsyncClient(transport=transport, base_url="http://operator") as client:
        assert (await client.get("/v1/pin")).status_code == 401
        assert (await client.get("/v1/pin", headers={"Authorization": "Bearer x"})).json()["code"] == "sign_in_required"
        assert (await client.get("/health")).status_code == 204
        for method, path, status in (("GET", "/v1/other", 404), ("PATCH", "/v1/pin", 405)):
            unknown = await client.request(method, path)
            assert (unknown.status_code, unknown.headers["Content-Type"]) == (status, "application/problem+json")
        signed = httpx.AsyncClient(transport=transport, base_url="http://operator", headers=headers)
        assert (await signed.get("/v1/pin")).json()["code"] == "no_pin"
        for path, body, name in (
            ("guesses", {"element": b64encode(bytes(31)).decode()}, "element"),
            ("guesses", {"element": "?"}, "element"),
            ("guesses", {}, "element"),
            ("confirmations", {"token": ""}, "token"),
            ("archives", {"token": b64encode(bytes(32)).decode(), "number": -1}, "number"),
        ):
            if name == "element" and body.get("element") == b64encode(bytes(31)).decode():
                enrolled = {"enrolment": b64encode(setup.enrolments[0].encode()).decode()}
                assert (await signed.put("/v1/pin", json=enrolled)).status_code == 204
            answer = await signed.post(f"/v1/pin/{path}", json=body)
            assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": name}]), body
        bad = {"enrolment": b64encode(setup.enrolments[1].encode()).decode()}
        assert (await signed.put("/v1/pin", json=bad)).status_code == 422
        assert (await signed.post("/v1/pin/guesses", content=b"x" * 5_000)).status_code == 413
        assert (await signed.post("/v1/pin/guesses", content=b"[]")).status_code == 422
        assert (await signed.get("/v1/pin")).json() == {"index": 1, "remaining": 10}
        answers = await asyncio.gather(*(signed.post("/v1/pin/guesses", json=element) for _ in range(14)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [410] * 4
        good = next(answer for answer in answers if answer.status_code == 200)
        assert Answer.decode(b64decode(good.json()["answer"])).index == 1
        limited = [await signed.get("/v1/pin") for _ in range(10)][-1]
        assert (limited.status_code, limited.json()["code"]) == (429, "too_many_requests")
        assert int(limited.headers["Retry-After"]) > 0
        await signed.aclose()
        steps = (await client.get("/metrics")).text
    assert 'entativa_pin_operator_steps_total{outcome="exhausted",step="guess"}' in steps
