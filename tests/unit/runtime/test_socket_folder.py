"""The folder of Unix sockets is trusted only if it is this user's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from actors.runtime.socket_folder import socket_folder


def test_it_is_made_for_this_user_alone_and_found_again(tmp_path: Path) -> None:
    folder = socket_folder(str(tmp_path / "new"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert socket_folder(str(tmp_path / "new")) == folder


@pytest.mark.parametrize("mode", [0o701, 0o750, 0o777])
def test_one_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    socket_folder(str(tmp_path)).chmod(mode)
    with pytest.raises(PermissionError, match="0700"):
        socket_folder(str(tmp_path))


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / f"entativa-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(PermissionError):
        socket_folder(str(tmp_path))


def test_another_user_s_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = socket_folder(str(tmp_path))
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    mine.rename(tmp_path / f"entativa-{user + 1}")
    with pytest.raises(PermissionError):
        socket_folder(str(tmp_path))
