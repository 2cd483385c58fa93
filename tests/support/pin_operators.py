"""Two operators of PINs in this process, each with two databases."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import jwt

from crypto.backup import Answer, PinAttempt, PinSetup
from crypto.randomness import SystemRandomness
from pin_operator.app import create_app
from pin_operator.limiter import Limiter
from pin_operator.rate import RequestRate
from pin_operator.sealing import StateSealer
from pin_operator.store import Stores
from pin_operator.tokens import AccessTokens, BadToken
from tests.support.servers import Servers, execute

RNG = SystemRandomness()
SECRET = b"an operator's secret for tests, long"


@dataclass(slots=True)
class PinOperators:
    addresses: list[tuple[str, str]]
    """Of their databases."""
    limiters: list[Limiter] = field(default_factory=list)

    async def start(self) -> None:
        self.limiters = [
            Limiter(index, await Stores.open(*urls, pool_size=4), StateSealer(SECRET, RNG))
            for index, urls in enumerate(self.addresses, 1)
        ]

    async def stop(self) -> None:
        for limiter in self.limiters:
            await limiter.stores.close()

    async def enrol(self, account: str, setup: PinSetup) -> None:
        for limiter, enrolment in zip(self.limiters, setup.enrolments, strict=True):
            await limiter.enrol(account, enrolment)

    async def answers(self, account: str, attempt: PinAttempt) -> list[Answer]:
        return [await limiter.guess(account, attempt.element) for limiter in self.limiters]

    def transport(self, address: str) -> httpx.AsyncBaseTransport:
        """HTTP to the operator http://operator-<number>, which believes tokens without their keys: those of a test's
        platform have its clock."""
        limiter = self.limiters[int(address[-1]) - 1]
        return httpx.ASGITransport(app=create_app(limiter, BelievedTokens({}), RequestRate(1_000, 1.0)))


class BelievedTokens(AccessTokens):
    """Takes a token's account for granted (tests/unit/pin_operator/test_tokens.py has the check)."""

    async def account_of(self, token: str) -> str:
        try:
            return f"entativa:{jwt.decode(token, options={'verify_signature': False})['sub']}"
        except jwt.PyJWTError:
            raise BadToken from None


@asynccontextmanager
async def pin_operators(servers: Servers) -> AsyncIterator[PinOperators]:
    """Two operators over empty databases."""
    names = [f"test_pin_{secrets.token_hex(6)}" for _ in range(4)]
    admin = servers.postgres.address("postgres")
    for name in names:
        await execute(admin, f"create database {name}")
    one, one_anchors, two, two_anchors = (servers.postgres.address(name) for name in names)
    made = PinOperators([(one, one_anchors), (two, two_anchors)])
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
        for name in names:
            await execute(admin, f"drop database {name} with (force)")
