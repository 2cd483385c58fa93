"""Byte ranges are those of RFC 9110, and what a server may ignore is ignored."""

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from api.byte_range import parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", (0, 500)),
        ("bytes=500-999", (500, 1000)),
        ("bytes=-500", (500, 1000)),
        ("bytes=999-", (999, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-5000", (0, 1000)),
        ("bytes=-5000", (0, 1000)),
        (None, None),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-1", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes=١-٢", None),
        ("items=0-5", None),
        (f"bytes=0-{'9' * 5000}", None),
    ],
)
def test_a_range_is_read(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_without_bytes_is_an_error_that_tells_the_size(header: str) -> None:
    with pytest.raises(HTTPException) as error:
        parse_range(header, 1000)
    assert error.value.status_code == 416
    assert error.value.headers == {"Content-Range": "bytes */1000"}


@given(st.text(alphabet="bytes=-,0123456789 ", max_size=30), st.integers(1, 2**40))
def test_what_is_found_lies_within_the_content(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except HTTPException:
        return
    assert found is None or 0 <= found[0] < found[1] <= size
