"""Uploads in tests: tus requests, and what is in storage."""

import base64
from pathlib import Path
from typing import Any

import httpx

from features.media.sweeping import sweep_media
from tests.support.environment import Environment
from tests.support.member import Member

BODY_TYPE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}


def metadata(**pairs: str) -> str:
    """Returns a header Upload-Metadata."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


async def create(member: Member, length: int | None, media_type: str = "image/jpeg", **headers: str) -> httpx.Response:
    """Begins an upload. `headers` are further ones, with underscores."""
    wanted = {**TUS, "Upload-Metadata": metadata(filetype=media_type, filename="holiday.jpg")}
    if length is not None:
        wanted["Upload-Length"] = str(length)
    wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await member.post("/uploads", headers=wanted)


async def begin(member: Member, length: int, media_type: str = "image/jpeg", **headers: str) -> str:
    """Begins an upload. Returns its path."""
    response = await create(member, length, media_type, **headers)
    assert response.status_code == 201, response.text
    return path_of(response)


def path_of(response: httpx.Response) -> str:
    return response.headers["Location"].removeprefix("/v1")


async def append(member: Member, path: str, offset: int, body: Any, **headers: str) -> httpx.Response:
    """Sends bytes of an upload."""
    wanted = {**TUS, "Upload-Offset": str(offset), "Content-Type": BODY_TYPE}
    wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await member.patch(path, headers=wanted, content=body)


async def offset_of(member: Member, path: str) -> int:
    response = await member.request("HEAD", path, headers=TUS)
    assert response.status_code == 200
    return int(response.headers["Upload-Offset"])


async def upload(environment: Environment, member: Member, data: bytes, media_type: str = "image/jpeg") -> str:
    """Uploads a file. Returns the id of the medium, which is ready."""
    path = await begin(member, len(data), media_type)
    response = await append(member, path, 0, data)
    assert response.status_code == 204, response.text
    await environment.drain()
    return path.removeprefix("/uploads/")


def stored(environment: Environment) -> list[str]:
    """Returns the keys of all objects in storage."""
    folder = Path(environment.settings.objects_url) / environment.brand.name
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def originals(environment: Environment) -> list[str]:
    """Returns the keys of those objects that were uploaded, not made of an upload: the larger ones of no stream."""
    folder = Path(environment.settings.objects_url) / environment.brand.name
    of_no_stream = (key for key in stored(environment) if not key.startswith("videos/"))
    return [key for key in of_no_stream if (folder / key).stat().st_size >= 5_000]


async def sweep(environment: Environment) -> None:
    """Does what the background work of media does."""
    await sweep_media(environment.platform)
