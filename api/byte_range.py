"""Byte ranges (RFC 9110, section 14)."""

import re

from fastapi import HTTPException

from api.error_codes import ErrorCode

RANGE_NOT_SATISFIABLE = ErrorCode("range_not_satisfiable", 416, "The content has no bytes in the range.")

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_MAX_DIGITS = 18


class RangeNotSatisfiable(HTTPException):
    code = RANGE_NOT_SATISFIABLE.code

    def __init__(self, size: int) -> None:
        super().__init__(
            RANGE_NOT_SATISFIABLE.status, RANGE_NOT_SATISFIABLE.meaning, {"Content-Range": f"bytes */{size}"}
        )


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Returns start and end (exclusive) of the range that a request asks for, of a content of `size` > 0 bytes. None:
    all of it, also for several ranges and for what is no range, both of which a server may ignore. Raises
    RangeNotSatisfiable."""
    found = _ONE_RANGE.fullmatch((header or "").strip())
    if found is None or found[1] == found[2] == "" or max(len(found[1]), len(found[2])) > _MAX_DIGITS:
        return None
    if found[1] == "":
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size:
        raise RangeNotSatisfiable(size)
    return start, end
