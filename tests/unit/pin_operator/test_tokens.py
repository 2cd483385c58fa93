"""Whose request it is, as the platform's access tokens say."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from features.auth.access_tokens import AccessTokens as Issuer
from features.auth.keys import SigningKeys, ensure_key
from features.identity import Identity
from pin_operator.tokens import AccessTokens, BadToken, KeysUnavailable

ADA = Identity(UUID(int=7), UUID(int=8))
ISSUER = "https://example.net/entativa"


def _now() -> datetime:
    return datetime.now(UTC)


def _issuer(folder: Path, issuer: str = ISSUER, audience: str = "entativa") -> Issuer:
    ensure_key(folder, _now() - timedelta(days=1))
    return Issuer(SigningKeys(folder), issuer=issuer, audience=audience, lifetime=timedelta(minutes=5))


async def test_a_token_of_the_platform_names_the_account(tmp_path: Path) -> None:
    issuer, asked = _issuer(tmp_path), []

    async def fetch(address: str) -> Any:
        asked.append(address)
        return issuer.published()

    tokens = AccessTokens({"entativa": ISSUER}, fetch)
    token = issuer.issue(ADA, _now())
    for _ in range(3):
        assert await tokens.account_of(token) == f"entativa:{ADA.account_id.hex}"
    assert asked == [ISSUER]


async def test_other_tokens_are_refused(tmp_path: Path) -> None:
    issuer = _issuer(tmp_path / "ours")
    stranger = _issuer(tmp_path / "strange")

    async def fetch(_: str) -> Any:
        return issuer.published()

    tokens = AccessTokens({"entativa": ISSUER}, fetch)
    good = issuer.issue(ADA, _now())
    refused = [
        stranger.issue(ADA, _now()),
        _issuer(tmp_path / "ours", issuer="https://elsewhere").issue(ADA, _now()),
        _issuer(tmp_path / "ours", audience="vignette").issue(ADA, _now()),
        issuer.issue(ADA, _now() - timedelta(hours=1)),
        f"{good[:-8]}AAAAAAAA",
        "nonsense",
        "",
    ]
    for token in refused:
        with pytest.raises(BadToken):
            await tokens.account_of(token)
    assert await tokens.account_of(good)


async def test_keys_are_fetched_again_for_an_unknown_one_but_not_often(tmp_path: Path) -> None:
    former, newer = _issuer(tmp_path / "former"), _issuer(tmp_path / "newer")
    now, published = [0.0], [former]
    fetched = []

    async def fetch(address: str) -> Any:
        fetched.append(address)
        if not published:
            raise KeysUnavailable
        return published[0].published()

    tokens = AccessTokens({"entativa": ISSUER}, fetch, lambda: now[0])
    assert await tokens.account_of(former.issue(ADA, _now()))
    published[0] = newer
    for _ in range(5):
        with pytest.raises(BadToken):
            await tokens.account_of(newer.issue(ADA, _now()))
    assert len(fetched) == 1
    now[0] = 11.0
    assert await tokens.account_of(newer.issue(ADA, _now()))
    published.clear()
    now[0] = 22.0
    for _ in range(2):  # unknown, since nobody could be asked, is not wrong
        with pytest.raises(KeysUnavailable):
            await tokens.account_of(former.issue(ADA, _now()))
    assert await tokens.account_of(newer.issue(ADA, _now()))


async def test_a_key_that_was_withdrawn_counts_no_more(tmp_path: Path) -> None:
    stolen, newer = _issuer(tmp_path / "stolen"), _issuer(tmp_path / "newer")
    now, published = [0.0], [stolen]

    async def fetch(_: str) -> Any:
        return published[0].published()

    tokens = AccessTokens({"entativa": ISSUER}, fetch, lambda: now[0])
    assert await tokens.account_of(stolen.issue(ADA, _now()))
    published[0] = newer
    now[0] = 601.0
    with pytest.raises(BadToken):
        await tokens.account_of(stolen.issue(ADA, _now()))


async def test_unknown_keys_hold_nobody_else_up(tmp_path: Path) -> None:
    known, strange = _issuer(tmp_path / "known"), _issuer(tmp_path / "strange")
    now, answers, asked = [0.0], asyncio.Event(), asyncio.Event()
    answers.set()

    async def fetch(_: str) -> Any:
        asked.set()
        await answers.wait()
        return known.published()

    tokens = AccessTokens({"entativa": ISSUER}, fetch, lambda: now[0])
    assert await tokens.account_of(known.issue(ADA, _now()))
    now[0] = 11.0
    answers.clear()
    asked.clear()
    waiting = asyncio.create_task(tokens.account_of(strange.issue(ADA, _now())))
    await asked.wait()
    assert await asyncio.wait_for(tokens.account_of(known.issue(ADA, _now())), 60)
    answers.set()
    with pytest.raises(BadToken):
        await waiting
