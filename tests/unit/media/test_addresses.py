"""Tokens of addresses: what is sealed comes back, and nothing else does."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.media.addresses import Grant, derive_key, expiry, open_token, seal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = derive_key(b"a secret", "entativa")
GRANT = Grant(UUID(int=1), UUID(int=2), 7, NOW + timedelta(minutes=30))


def test_a_token_returns_its_grant_until_it_expires() -> None:
    token = seal(GRANT, KEY)
    assert open_token(token, KEY, NOW) == GRANT
    assert open_token(token, KEY, GRANT.expires_at - timedelta(milliseconds=1)) == GRANT
    assert open_token(token, KEY, GRANT.expires_at) is None


def test_a_token_that_was_changed_in_any_character_is_none() -> None:
    token = seal(GRANT, KEY)
    for position, character in enumerate(token):
        for other in "AB_-9=\n":
            changed = token[:position] + other + token[position + 1 :]
            assert (open_token(changed, KEY, NOW) is None) == (other != character)
        assert open_token(token[:position], KEY, NOW) is None
    for longer in (token + "A", token + "AAAA", token + "====", " " + token):
        assert open_token(longer, KEY, NOW) is None


@pytest.mark.parametrize("key", [derive_key(b"a secret", "vignette"), derive_key(b"another", "entativa"), b""])
def test_a_token_of_another_key_is_none(key: bytes) -> None:
    assert open_token(seal(GRANT, KEY), key, NOW) is None


@given(st.text(max_size=120))
def test_any_text_is_a_token_or_none(text: str) -> None:
    assert open_token(text, KEY, NOW) is None


@given(st.integers(0, 60 * 365 * 86400).map(lambda seconds: NOW + timedelta(seconds=seconds)))
def test_an_address_is_good_for_its_lifetime_at_least(now: datetime) -> None:
    lifetime = timedelta(minutes=30)
    assert now + lifetime < expiry(now, lifetime) <= now + 2 * lifetime
