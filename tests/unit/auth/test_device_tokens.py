"""Device tokens: known are those that were issued for the account, as long as its password is the same."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.account_state import AccountState
from features.accounts.machine import Life
from features.accounts.model import Account
from features.auth.device_tokens import DeviceTokens

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(days=180)
TOKENS = DeviceTokens(b"secret", LIFETIME)


def _account(number: int = 1, password_hash: str = "hash") -> Account:
    return Account(UUID(int=number), password_hash, Life(AccountState.ACTIVE))


def _issue(device_id: bytes | None = None) -> str:
    return TOKENS.issue(UUID(int=1), "hash", device_id, NOW)


def test_a_device_keeps_its_id() -> None:
    device_id = TOKENS.device_of(_issue(), _account(), NOW)
    assert device_id is not None
    assert TOKENS.device_of(_issue(device_id), _account(), NOW) == device_id
    assert TOKENS.device_of(_issue(), _account(), NOW) != device_id


@pytest.mark.parametrize("account", [_account(2), _account(1, "another hash"), None])
def test_it_counts_for_its_account_and_password_only(account: Account | None) -> None:
    assert TOKENS.device_of(_issue(), account, NOW) is None


def test_it_expires() -> None:
    assert TOKENS.device_of(_issue(), _account(), NOW + LIFETIME - timedelta(seconds=1))
    assert TOKENS.device_of(_issue(), _account(), NOW + LIFETIME) is None


def test_another_secret_issues_others() -> None:
    assert DeviceTokens(b"another", LIFETIME).device_of(_issue(), _account(), NOW) is None


@given(st.text(max_size=100))
def test_whatever_is_sent_is_no_error(text: str) -> None:
    assert TOKENS.device_of(text, _account(), NOW) is None


@given(at=st.integers(0, 55), to=st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, to: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(_issue() + "="))
    raw[at] ^= to
    assert TOKENS.device_of(base64.urlsafe_b64encode(raw).decode(), _account(), NOW) is None
