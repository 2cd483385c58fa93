"""When a used refresh token may be used again: as the retry of a lost response."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from features.auth.model import RefreshToken

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(seconds=30)


@pytest.mark.parametrize(
    ("age", "successor", "successor_used", "allowed"),
    [
        (timedelta(0), b"next", False, True),
        (GRACE, b"next", False, True),
        (GRACE + timedelta(milliseconds=1), b"next", False, False),  # too late
        (timedelta(seconds=1), b"next", True, False),  # the answer did arrive
        (timedelta(seconds=1), None, False, False),  # withdrawn in favour of another answer
    ],
)
def test_a_used_token(age: timedelta, successor: bytes | None, successor_used: bool, allowed: bool) -> None:
    token = RefreshToken(b"this", UUID(int=1), NOW - age, successor, successor_used)
    assert token.may_be_retried(NOW, GRACE) is allowed


def test_an_unused_token_is_no_retry() -> None:
    assert not RefreshToken(b"this", UUID(int=1), None, None, False).may_be_retried(NOW, GRACE)
