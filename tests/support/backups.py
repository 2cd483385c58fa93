"""Backups of members, as a client of the API writes them."""

import hashlib

import httpx

from tests.support.devices import text
from tests.support.member import Member

HEADER = b"wrapped keys"


def name_of(data: bytes) -> str:
    """The name of a segment."""
    return hashlib.sha256(data).hexdigest()


async def put_segments(member: Member, *segments: bytes) -> list[str]:
    """Uploads segments. Returns their names."""
    for data in segments:
        answer = await member.put(f"/backup/segments/{name_of(data)}", content=data)
        assert answer.status_code == 204, answer.text
    return [name_of(data) for data in segments]


async def write_backup(member: Member, based_on: int, names: list[str], header: bytes = HEADER) -> httpx.Response:
    """Writes the next version of a backup."""
    return await member.put("/backup", json={"based_on": based_on, "header": text(header), "segments": names})
