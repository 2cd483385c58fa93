"""Identifiers: UUIDv7 (RFC 9562, section 5.7), so that new rows land at the end of every index."""

from datetime import datetime
from uuid import UUID

import uuid_utils


def new_id(now: datetime) -> UUID:
    """A fresh UUIDv7 whose timestamp is `now` (millisecond precision)."""
    return UUID(int=uuid_utils.uuid7(nanoseconds=int(now.timestamp() * 1_000_000) * 1000).int)
