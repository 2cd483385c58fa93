"""The places where a backup can be, as users name them: `platform`, `folder:PATH`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from client.api import Connection
from client.backup.errors import ClientBackupError
from client.backup.file_store import FileStore
from client.backup.folder_store import FolderStore
from client.backup.platform_store import PlatformStore

PLATFORM = {"kind": "platform"}


class NoSuchPlace(ClientBackupError):
    """Nobody can keep a backup there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is no place for a backup: say platform, or folder:PATH")


def parse_place(name: str) -> Mapping[str, Any]:
    """What is stored of a place. Raises NoSuchPlace."""
    kind, _, where = name.partition(":")
    match kind:
        case "platform" if not where:
            return PLATFORM
        case "folder" if where:
            return {"kind": "folder", "path": str(Path(where).expanduser().resolve())}
    raise NoSuchPlace(name)


def open_place(place: Mapping[str, Any], connection: Connection) -> FileStore:
    """The files of a place. `connection`: of the account at the platform. Raises NoSuchPlace."""
    match place:
        case {"kind": "platform"}:
            return PlatformStore(connection)
        case {"kind": "folder", "path": str(path)}:
            return FolderStore(Path(path))
    raise NoSuchPlace(str(place.get("kind")))
