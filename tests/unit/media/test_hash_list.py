"""What providers send is read strictly, or not at all."""

import base64
import contextlib
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.media.hash_list import BadHashList, check_digest, parse_hash_list, read_bounded

ONE, OTHER = bytes(range(32)), bytes(range(32, 64))


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE.hex()}\n{OTHER.hex()}\n",
        f"hash,id\r\n{ONE.hex().upper()},17\r\n{OTHER.hex()};a, b\r\n",
        f"# of today\n\n {ONE.hex()} tag\n{OTHER.hex()}\t3\n{ONE.hex()}",
    ],
)
def test_a_list_is_read(text: str) -> None:
    index = parse_hash_list(text.encode())
    assert len(index) == 2
    assert all(index.nearest(each, 0) is not None for each in (ONE, OTHER))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line"),
        ("hash\n", "no line"),
        ("<html>\n<body>", "line 2"),
        (f"{ONE.hex()}\n{OTHER.hex()}0\n", "line 2"),
        (f"{ONE.hex()}\n{OTHER.hex()[:-1]}\n", "line 2"),
    ],
)
def test_what_is_no_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadHashList, match=message):
        parse_hash_list(text.encode())


@given(st.binary(max_size=200))
def test_whatever_is_sent_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadHashList):
        assert len(parse_hash_list(data)) > 0


def test_a_digest_that_is_announced_is_checked() -> None:
    digest = base64.b64encode(sha256(b"list").digest()).decode()
    for header in (None, "sha-512=:AAAA:", f"sha-256=:{digest}:", f"sha-512=:AAAA:, sha-256=:{digest}:"):
        check_digest(b"list", header)
    with pytest.raises(BadHashList, match="digest"):
        check_digest(b"another", f"sha-256=:{digest}:")


async def test_a_list_that_is_too_long_is_not_read_to_its_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"0" * 1000

    with pytest.raises(BadHashList, match="5000"):
        await read_bounded(endless(), 5000)
