"""Lists that the API returns page by page."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from client.api.connection import Connection, NoResponse

_PAGE = 100
_MAX_PAGES = 20
"""How much of a list is read."""


async def items_of(connection: Connection, path: str, params: Mapping[str, str | int] | None = None) -> list[Any]:
    """The first items of a list, up to 2,000. Raises ApiError, NoResponse, SignedOut."""
    items: list[Any] = []
    asked = {**(params or {}), "limit": _PAGE}
    for _ in range(_MAX_PAGES):
        page = await connection.request("GET", path, params=asked)
        with understood():
            items += page["items"]
            cursor = page["next_cursor"]
        if cursor is None:
            break
        asked = {**asked, "cursor": cursor}
    return items


@contextmanager
def understood() -> Iterator[None]:
    """What cannot be read is no response. Raises NoResponse."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise NoResponse("the response is not what this client knows") from error
