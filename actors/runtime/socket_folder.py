"""The folder of Unix sockets: this user's alone, since whoever can replace a socket there is taken for a host."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def socket_folder(parent: str = "") -> Path:
    """The folder for this user's sockets, made if it is missing, under ``parent`` or the system's temporary folder.

    Raises PermissionError if it is not a folder of this user's that others can neither enter nor change: in a shared
    temporary folder anybody can make one of this name first.
    """
    folder = Path(parent or tempfile.gettempdir()) / f"entativa-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(f"{folder} is not user {os.getuid()}'s alone: remove it, or set its mode to 0700")
    return folder
