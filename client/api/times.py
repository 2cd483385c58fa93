"""Times of the API."""

from datetime import datetime


def milliseconds(time: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time."""
    return int(datetime.fromisoformat(time).timestamp() * 1000)
