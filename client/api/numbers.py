"""Numbers of the API."""


def number(value: object) -> int:
    """A whole number that the database can hold, from 0 to 2^63 - 1. Raises ValueError."""
    if not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError("a number that is none")
    return value
