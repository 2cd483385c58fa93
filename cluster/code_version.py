"""Which version of the code a process runs, and which one lies on its node's disk.

The two differ after an update until the process is replaced. A version is a hash of the sources, so that it needs no
build step and no two versions share a number.
"""

import hashlib
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("actors", "api", "brands", "cluster", "crypto", "deployments", "features")


def code_on_disk(root: Path = _ROOT) -> str:
    """Hashes the platform's Python sources under `root`: 12 hexadecimal digits. Takes a few milliseconds.

    Raises OSError.
    """
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()}\0{len(source)}\0".encode())
            digest.update(source)
    return digest.hexdigest()[:12]


CODE_VERSION = code_on_disk()
"""The version that this process runs: read when it starts, as its modules are."""
