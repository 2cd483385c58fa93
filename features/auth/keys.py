"""The keys that sign access tokens: one Ed25519 private key per file, `<directory>/<kid>.pem`.

A kid is its key's creation time, so that names sort by age. The newest key signs, all of them verify and are published.
Rotation is a new file; a running replica notices because the folder's modification time changes.
"""

import os
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_KID_FORMAT = "%Y%m%dT%H%M%S%fZ"
_TRUSTED_AFTER_NS = 1_000_000_000


class NoSigningKey(Exception):
    """The folder holds no key; the message says how to make one."""


def generate_key(directory: Path, now: datetime) -> str:
    """Write a new private key, readable by its owner only, and return its kid."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    kid = now.astimezone(UTC).strftime(_KID_FORMAT)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = directory / f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    draft.rename(directory / f"{kid}.pem")  # a reader sees a whole key or none
    return kid


def ensure_key(directory: Path, now: datetime) -> None:
    """Make a first key if there is none."""
    if not any(directory.glob("*.pem")):
        generate_key(directory, now)


def rotate(directory: Path, now: datetime, *, keep: timedelta) -> tuple[str, list[str]]:
    """Add a key that signs from now on, and remove those that stopped signing more than `keep` ago (at least the
    lifetime of an access token). Returns the new kid and the removed ones."""
    old = sorted(path.stem for path in directory.glob("*.pem"))
    kid = generate_key(directory, now)
    oldest_kept = (now - keep).astimezone(UTC).strftime(_KID_FORMAT)
    removed = [stem for stem, successor in zip(old, [*old[1:], kid], strict=True) if successor < oldest_kept]
    for stem in removed:
        (directory / f"{stem}.pem").unlink(missing_ok=True)
    return kid, removed


class SigningKeys:
    """The keys of one folder as this process knows them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._modified_ns = -1
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._public_keys: dict[str, Ed25519PublicKey] = {}
        self.generation = 0
        """Grows whenever the keys may have changed; what was verified under an older one must be verified again."""

    def newest(self) -> tuple[str, Ed25519PrivateKey]:
        """The kid and key that sign now. Raises NoSigningKey."""
        self.refresh()
        if not self._keys:
            raise NoSigningKey(f"no signing key in {self._directory}: run 'entativa keys rotate'")
        kid = max(self._keys)
        return kid, self._keys[kid]

    def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """The key of that name; looks into the folder once more before it says that there is none."""
        if kid not in self._public_keys:
            self._load()
        return self._public_keys.get(kid)

    def public_keys(self) -> dict[str, Ed25519PublicKey]:
        """All keys to publish."""
        self.refresh()
        return dict(sorted(self._public_keys.items()))

    def refresh(self) -> None:
        """Reload if the folder changed: one stat, no more, when it did not."""
        try:
            modified_ns = self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            modified_ns = -2
        if modified_ns != self._modified_ns:
            self._load()
            # File systems count time in ticks of some milliseconds: a folder changed just now may change again
            # without its time moving, so it is only trusted to be unchanged once that time has passed.
            if time.time_ns() - modified_ns > _TRUSTED_AFTER_NS:
                self._modified_ns = modified_ns

    def _load(self) -> None:
        found = {path.stem: path for path in self._directory.glob("*.pem")}
        if found.keys() == self._keys.keys():
            return
        self._keys = {kid: self._keys.get(kid) or _read(path) for kid, path in found.items()}
        self._public_keys = {kid: key.public_key() for kid, key in self._keys.items()}
        self.generation += 1


def _read(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise NoSigningKey(f"{path} does not hold an Ed25519 key")
    return key
