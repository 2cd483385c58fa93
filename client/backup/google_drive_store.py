"""A backup in the hidden folder that Google Drive gives each program (Drive API v3, appDataFolder).

The API has no conditional writes. But a file's id can be fixed before, by an id that Drive has generated, and Drive
refuses a second file with it (409). So every header names the id of the one that will follow it, and of two devices
that write at once one creates the file. Only of first headers there may be two: the one with the lower id counts.
"""

import json
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError

from client.backup.file_store import BackupUnavailable, HeaderChanged, SegmentMissing, StoredHeader, no_longer_named
from client.backup.header_file import decode_header_file, encode_header_file

API = "https://www.googleapis.com"
_FILES = "/drive/v3/files"
_UPLOAD = "/upload/drive/v3/files"
_FOLDER = "appDataFolder"
_HEADER = "header"
_BOUNDARY = "entativa-backup-part"
"""Nothing that is stored contains it: JSON of Base64, and ciphertext (once in 2^160)."""


class GoogleDriveStore:
    """A FileStore. `session`: of client.backup.google_sign_in.open_session."""

    def __init__(self, session: Any, api: str = API) -> None:
        self._session = session
        self._api = api

    async def header(self) -> StoredHeader | None:
        files = await self._list(f"name = '{_HEADER}'")
        if not files:
            return None
        newest = _newest(files)
        response = await self._request("GET", f"{_FILES}/{newest['id']}", params={"alt": "media"}, allowed=(200, 404))
        if response.status_code == 404:
            raise BackupUnavailable("another device is writing the backup")
        content, segments = decode_header_file(response.content)
        return StoredHeader(json.dumps([_number(newest), newest["appProperties"]["following"]]), content, segments)

    async def replace(self, content: bytes, segments: tuple[str, ...], former: StoredHeader | None) -> None:
        present = await self._list(f"name = '{_HEADER}'")
        if former is None and present:
            raise HeaderChanged
        following = await self._generate(1 if former else 2)
        number, own = json.loads(former.version) if former else (0, following.pop())
        properties = {"number": str(number + 1), "following": following[0]}
        data = encode_header_file(content, segments)
        if not await self._create({"id": own, "name": _HEADER, "appProperties": properties}, data):
            raise HeaderChanged
        if former is None:
            first = _newest(await self._list(f"name = '{_HEADER}'"))
            if first["id"] != own:
                await self._delete(own)
                raise HeaderChanged
            return
        gone = {_HEADER, *no_longer_named(former, segments)}
        for file in await self._list(None):
            if file["id"] != own and file["name"] in gone and not _follows(file, number + 1):
                await self._delete(file["id"])

    async def put(self, name: str, data: bytes) -> None:
        await self._create({"name": name}, data)

    async def get(self, name: str) -> bytes:
        for file in await self._list(f"name = '{name}'"):
            response = await self._request("GET", f"{_FILES}/{file['id']}", params={"alt": "media"}, allowed=(200, 404))
            if response.status_code == 200:
                return response.content
        raise SegmentMissing(name)

    async def delete(self) -> None:
        files = await self._list(None)
        for file in sorted(files, key=lambda file: str(file["name"]) != _HEADER):
            await self._delete(file["id"])

    async def _list(self, query: str | None) -> list[dict[str, Any]]:
        """All files, those that the query finds."""
        params = {
            "spaces": _FOLDER,
            "pageSize": "1000",
            "fields": "nextPageToken,files(id,name,appProperties)",
            **({} if query is None else {"q": query}),
        }
        found: list[dict[str, Any]] = []
        while True:
            page = (await self._request("GET", _FILES, params=params, allowed=(200,))).json()
            found += page["files"]
            if not page.get("nextPageToken"):
                return found
            params["pageToken"] = page["nextPageToken"]

    async def _generate(self, count: int) -> list[str]:
        params = {"count": str(count), "space": _FOLDER}
        answer = await self._request("GET", f"{_FILES}/generateIds", params=params, allowed=(200,))
        return list(answer.json()["ids"])

    async def _create(self, metadata: dict[str, Any], data: bytes) -> bool:
        """Returns False if there is a file with the id already."""
        described = json.dumps({**metadata, "parents": [_FOLDER]}).encode()
        parts = ((b"application/json; charset=UTF-8", described), (b"application/octet-stream", data))
        body = b"".join(
            b"--%s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (_BOUNDARY.encode(), kind, part) for kind, part in parts
        )
        response = await self._request(
            "POST",
            _UPLOAD,
            params={"uploadType": "multipart", "fields": "id"},
            allowed=(200, 409),
            content=body + b"--%s--\r\n" % _BOUNDARY.encode(),
            headers={"Content-Type": f"multipart/related; boundary={_BOUNDARY}"},
        )
        return response.status_code == 200

    async def _delete(self, file_id: str) -> None:
        await self._request("DELETE", f"{_FILES}/{file_id}", allowed=(204, 404))

    async def _request(self, method: str, path: str, *, allowed: tuple[int, ...], **options: Any) -> httpx.Response:
        try:
            response: httpx.Response = await self._session.request(method, self._api + path, **options)
        except (httpx.HTTPError, AuthlibBaseError) as error:
            raise BackupUnavailable(f"Google Drive cannot be reached ({type(error).__name__})") from error
        if response.status_code not in allowed:
            raise BackupUnavailable(f"Google Drive refuses {method}: {response.status_code}")
        return response


def _number(file: dict[str, Any]) -> int:
    return int(file["appProperties"]["number"])


def _follows(file: dict[str, Any], number: int) -> bool:
    """Whether it is the header of another device that has read the one with the number already."""
    return bool(file["name"] == _HEADER) and _number(file) > number


def _newest(files: list[dict[str, Any]]) -> dict[str, Any]:
    return min(files, key=lambda file: (-_number(file), file["id"]))
