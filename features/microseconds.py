"""Times as microseconds since 1970, which number messages."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime:
    """Returns the time that is so many microseconds after 1970."""
    return _EPOCH + microseconds * _MICROSECOND


def timestamp(microseconds: int) -> str:
    """Returns that time as the API writes it (RFC 3339)."""
    return time_of(microseconds).isoformat().replace("+00:00", "Z")


def microseconds_of(time: datetime) -> int:
    """Returns the microseconds from 1970 to a time."""
    return (time - _EPOCH) // _MICROSECOND
