"""The places where a backup can be, as users name them.

`platform`; `folder:PATH` (on a Mac, iCloud Drive is one); `webdav:URL`; `google-drive`. What is stored of a place may
have a password or a token: it lies in the account's encrypted database.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from client.api import Connection
from client.backup.errors import ClientBackupError
from client.backup.file_store import FileStore
from client.backup.folder_store import FolderStore
from client.backup.platform_store import PlatformStore
from client.backup.webdav_store import WebDavStore

PLATFORM = {"kind": "platform"}


class NoSuchPlace(ClientBackupError):
    """Nobody can keep a backup there."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no place for a backup: say platform, folder:PATH, webdav:https://HOST/FOLDER or google-drive"
        )


def parse_place(name: str) -> Mapping[str, Any]:
    """What is stored of a place; of `webdav` without `username` and `password`, of `google-drive` without `client_id`,
    `client_secret` and `refresh_token`, which the caller adds. Raises NoSuchPlace."""
    kind, _, where = name.partition(":")
    match kind:
        case "platform" if not where:
            return PLATFORM
        case "folder" if where:
            return {"kind": "folder", "path": str(Path(where).expanduser().resolve())}
        case "webdav" if urlsplit(where).scheme == "https" and urlsplit(where).hostname:
            return {"kind": "webdav", "url": where}
        case "google-drive" if not where:
            return {"kind": "google-drive"}
    raise NoSuchPlace(name)


def open_place(place: Mapping[str, Any], connection: Connection) -> FileStore:
    """The files of a place. `connection`: of the account at the platform. Raises NoSuchPlace."""
    match place:
        case {"kind": "platform"}:
            return PlatformStore(connection)
        case {"kind": "folder", "path": str(path)}:
            return FolderStore(Path(path))
        case {"kind": "webdav", "url": str(url), "username": str(username), "password": str(password)}:
            return WebDavStore(url, username, password)
        case {
            "kind": "google-drive",
            "client_id": str(client_id),
            "client_secret": str(client_secret),
            "refresh_token": str(refresh_token),
        }:
            # Imported where it is used: few do, and it takes a while.
            from client.backup.google_drive_store import GoogleDriveStore
            from client.backup.google_sign_in import GoogleProgram, open_session

            return GoogleDriveStore(open_session(GoogleProgram(client_id, client_secret), refresh_token))
    raise NoSuchPlace(str(place.get("kind")))
