"""Identifiers: UUIDv7 (RFC 9562, section 5.7), so that new rows land at the end of every index."""

from datetime import datetime
from uuid import UUID

import uuid_utils


def new_id(now: datetime) -> UUID:
    """A fresh UUIDv7 whose timestamp is `now` (millisecond precision)."""
    nanoseconds = int(now.timestamp() * 1_000_000) * 1000
    return UUID(int=uuid_utils.uuid7(nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000).int)
