"""A backup on the platform (docs/messaging.md)."""

import base64
from typing import Any

from client.api import ApiError, Connection, NoResponse, SignedOut
from client.backup.file_store import BackupUnavailable, HeaderChanged, SegmentMissing, StoredHeader

_CHANGED = ("backup_changed", "backup_segments_missing")
"""The second one if a former backup named a segment that another device has dropped since."""


class PlatformStore:
    """A FileStore, of the connection's account."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def header(self) -> StoredHeader | None:
        found = await self._request("GET", "/backup")
        if found["version"] == 0:
            return None
        names = tuple(str(each["digest"]) for each in found["segments"])
        return StoredHeader(str(found["version"]), base64.b64decode(found["header"]), names)

    async def replace(self, content: bytes, segments: tuple[str, ...], former: StoredHeader | None) -> None:
        body = {
            "based_on": 0 if former is None else int(former.version),
            "header": base64.b64encode(content).decode(),
            "segments": list(segments),
        }
        try:
            await self._request("PUT", "/backup", body)
        except ApiError as error:
            if error.code in _CHANGED:
                raise HeaderChanged from error
            raise BackupUnavailable(f"the platform refuses the backup: {error}") from error

    async def put(self, name: str, data: bytes) -> None:
        try:
            await self._connection.upload(f"/backup/segments/{name}", data)
        except (NoResponse, SignedOut, ApiError) as error:
            raise BackupUnavailable(f"the platform: {error}") from error

    async def get(self, name: str) -> bytes:
        try:
            return await self._connection.download(f"/backup/segments/{name}")
        except ApiError as error:
            if error.status == 404:
                raise SegmentMissing(name) from error
            raise BackupUnavailable(f"the platform: {error}") from error
        except (NoResponse, SignedOut) as error:
            raise BackupUnavailable(f"the platform: {error}") from error

    async def delete(self) -> None:
        try:
            await self._request("DELETE", "/backup")
        except ApiError as error:
            raise BackupUnavailable(f"the platform: {error}") from error

    async def _request(self, method: str, path: str, json: Any = None) -> Any:
        """Raises BackupUnavailable, or ApiError for what a PUT can answer."""
        try:
            return await self._connection.request(method, path, json)
        except (NoResponse, SignedOut) as error:
            raise BackupUnavailable(f"the platform: {error}") from error
        except ApiError as error:
            if method == "GET":
                raise BackupUnavailable(f"the platform: {error}") from error
            raise
