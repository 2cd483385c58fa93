"""Attachments of members, as a client of the API uploads them."""

from typing import Any

import httpx

from tests.support.member import Member


async def begin_attachment(member: Member, size: int) -> dict[str, Any]:
    """Begins an attachment. Returns it."""
    answer = await member.post("/attachments", json={"size": size})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def put_part(member: Member, attachment_id: str, number: int, data: bytes) -> httpx.Response:
    return await member.put(f"/attachments/{attachment_id}/parts/{number}", content=data)


async def upload_attachment(member: Member, data: bytes) -> str:
    """Uploads an attachment. Returns its id."""
    begun = await begin_attachment(member, len(data))
    for number, start in enumerate(range(0, len(data), begun["part_size"])):
        answer = await put_part(member, begun["id"], number, data[start : start + begun["part_size"]])
        assert answer.status_code == 200, answer.text
    attachment_id: str = begun["id"]
    return attachment_id
