"""A backup in a folder of a WebDAV server (RFC 4918): Nextcloud, a NAS, and most that rent out storage.

The header is replaced by a conditional PUT (RFC 9110, section 13.1), so the server must give strong entity tags.
"""

import re
from typing import Any

import httpx

from client.backup.file_store import BackupUnavailable, HeaderChanged, SegmentMissing, StoredHeader, no_longer_named
from client.backup.header_file import decode_header_file, encode_header_file

_HEADER = "header.json"
_NAMES = re.compile(r"/([0-9a-f]{64})(?=<|\s)")
_TIMEOUT_S = 60.0
_PROPFIND = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'


class WebDavStore:
    """A FileStore."""

    def __init__(
        self, url: str, username: str, password: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`url`: of a folder for this backup alone, whose parent exists. `transport`: for tests."""
        self._url = url.rstrip("/")
        self._auth = httpx.BasicAuth(username, password)
        self._transport = transport

    async def header(self) -> StoredHeader | None:
        response = await self._request("GET", f"/{_HEADER}", allowed=(200, 404))
        if response.status_code == 404:
            return None
        tag = response.headers.get("ETag", "")
        if not tag or tag.startswith("W/"):
            raise BackupUnavailable(
                "the WebDAV server has no strong ETags: two devices would undo each other's backups"
            )
        content, segments = decode_header_file(response.content)
        return StoredHeader(tag, content, segments)

    async def replace(self, content: bytes, segments: tuple[str, ...], former: StoredHeader | None) -> None:
        if former is None:
            await self._make_folder()
        condition = {"If-None-Match": "*"} if former is None else {"If-Match": former.version}
        data = encode_header_file(content, segments)
        response = await self._request(
            "PUT", f"/{_HEADER}", allowed=(200, 201, 204, 412), content=data, headers=condition
        )
        if response.status_code == 412:
            raise HeaderChanged
        for name in no_longer_named(former, segments):
            await self._request("DELETE", f"/{name}", allowed=(200, 204, 404))

    async def put(self, name: str, data: bytes) -> None:
        await self._request("PUT", f"/{name}", allowed=(200, 201, 204), content=data)

    async def get(self, name: str) -> bytes:
        response = await self._request("GET", f"/{name}", allowed=(200, 404))
        if response.status_code == 404:
            raise SegmentMissing(name)
        return response.content

    async def delete(self) -> None:
        await self._request("DELETE", f"/{_HEADER}", allowed=(200, 204, 404))
        headers = {"Depth": "1", "Content-Type": "application/xml"}
        listed = await self._request("PROPFIND", "", allowed=(207, 404), content=_PROPFIND, headers=headers)
        # Names are all that is wanted of the XML, and they look like nothing else.
        for name in set(_NAMES.findall(listed.text)):
            await self._request("DELETE", f"/{name}", allowed=(200, 204, 404))

    async def _make_folder(self) -> None:
        await self._request("MKCOL", "", allowed=(201, 405))  # 405: it is there

    async def _request(self, method: str, path: str, *, allowed: tuple[int, ...], **options: Any) -> httpx.Response:
        try:
            async with httpx.AsyncClient(auth=self._auth, timeout=_TIMEOUT_S, transport=self._transport) as client:
                response = await client.request(method, self._url + path, **options)
        except httpx.HTTPError as error:
            raise BackupUnavailable(f"the WebDAV server cannot be reached ({type(error).__name__})") from error
        if response.status_code not in allowed:
            raise BackupUnavailable(f"the WebDAV server refuses {method}: {response.status_code}")
        return response
