"""Lists of hashes of pictures that nobody may publish: what providers give to platforms.

A list is a text: a hash a line, as 64 hexadecimal digits. What follows a hash after a comma, semicolon or space is not
read, nor are empty lines, lines that begin with "#", and a first line with the names of columns.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Protocol

from features.media.hash_index import HashIndex, Match
from features.media.pdq import PictureHash

_LINE = re.compile(rb"([0-9a-fA-F]{64})(?:[,; \t].*)?")
_DIGEST = re.compile(r"\bsha-256=:([A-Za-z0-9+/=]+):")


class BadHashList(Exception):
    """What a provider sent is no list, is too long, or does not have its digest."""


class HashListUnavailable(Exception):
    """The provider cannot be reached, or refuses."""


class HashList(Protocol):
    """Hashes of pictures that nobody may publish."""

    async def nearest(self, value: PictureHash, distance: int) -> Match | None:
        """Returns the hash of the list that is nearest to that of a picture and differs in at most so many bits. Raises
        HashListUnavailable while there is no list."""


def parse_hash_list(data: bytes) -> HashIndex:
    """Returns the index of a list. Raises BadHashList, with the number of the first line that is wrong."""
    hashes = []
    for number, line in enumerate(data.splitlines()):
        stripped = line.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is not None:
            hashes.append(bytes.fromhex(found[1].decode()))
        elif number:
            raise BadHashList(f"line {number + 1} does not begin with a hash")
    if not hashes:
        raise BadHashList("no line has a hash")
    return HashIndex(hashes)


def check_digest(data: bytes, header: str | None) -> None:
    """Raises BadHashList if a response has a SHA-256 (Repr-Digest, RFC 9530, section 3) and its content another one."""
    announced = _DIGEST.search(header or "")
    if announced is not None and announced[1] != base64.b64encode(sha256(data).digest()).decode():
        raise BadHashList("the content does not have the announced digest")


async def read_bounded(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """Returns all bytes. Raises BadHashList for more than so many."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise BadHashList(f"more than {limit} bytes")
    return bytes(data)
