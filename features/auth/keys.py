"""The keys that sign access tokens: one Ed25519 private key per file, `<directory>/<kid>.pem`.

A kid is the time from which its key signs, so that names sort by age. The newest key whose time has come signs; all
verify and are published: a key with a time to come can be brought to all nodes before it is used.
Rotation adds a file; a running replica notices the change of the folder's modification time.
"""

import os
import secrets
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
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
_LOOK_EVERY_S = 0.1


class NoSigningKey(Exception):
    """The folder holds no key. The message says how to create one."""


SIGNS_AFTER = timedelta(minutes=10)
"""How long a new key is published before it signs: the public keys may be cached, and nodes may get it late."""


def generate_key(directory: Path, now: datetime) -> str:
    """Writes a new private key that only its owner can read. Returns its kid."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    kid = now.astimezone(UTC).strftime(_KID_FORMAT)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = directory / f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    draft.rename(directory / f"{kid}.pem")  # a reader sees a whole key or none
    return kid


def ensure_key(directory: Path, now: datetime) -> None:
    """Creates a key if there is none."""
    if not any(directory.glob("*.pem")):
        generate_key(directory, now)


def rotate(directory: Path, now: datetime, *, keep: timedelta) -> tuple[str, list[str]]:
    """Adds a key that signs after `SIGNS_AFTER`, and removes those that stopped signing more than `keep` ago (at least
    the lifetime of an access token). Returns the new kid and the removed ones."""
    old = sorted(path.stem for path in directory.glob("*.pem"))
    kid = generate_key(directory, now + SIGNS_AFTER)
    oldest_kept = (now - keep).astimezone(UTC).strftime(_KID_FORMAT)
    removed = [stem for stem, successor in pairwise([*old, kid]) if successor < oldest_kept]
    for stem in removed:
        (directory / f"{stem}.pem").unlink(missing_ok=True)
    return kid, removed


class SigningKeys:
    """The keys of one folder, as loaded by this process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._modified_ns = -1
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._public_keys: dict[str, Ed25519PublicKey] = {}
        self._look_again_at = 0.0
        self.generation = 0
        """Increases whenever the keys change; tokens verified under an older generation must be verified again."""

    def newest(self) -> tuple[str, Ed25519PrivateKey]:
        """Returns the kid and the key that sign now. Raises NoSigningKey."""
        self.refresh()
        if not self._keys:
            raise NoSigningKey(f"no signing key in {self._directory}: run 'entativa keys rotate'")
        now = datetime.now(UTC).strftime(_KID_FORMAT)
        kid = max((kid for kid in self._keys if kid <= now), default=min(self._keys))
        return kid, self._keys[kid]

    def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """Returns the key of that name, None if there is none after reading the folder again."""
        if kid not in self._public_keys:
            self._load()
        return self._public_keys.get(kid)

    def public_keys(self) -> dict[str, Ed25519PublicKey]:
        """Returns all keys to publish."""
        self.refresh()
        return dict(sorted(self._public_keys.items()))

    def refresh_often(self) -> None:
        """`refresh`, but at most ten times a second: for what each request does. New keys are found by their names."""
        now = time.monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + _LOOK_EVERY_S
            self.refresh()

    def refresh(self) -> None:
        """Reloads the keys if the folder changed; costs one stat otherwise."""
        try:
            modified_ns = self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            modified_ns = -2
        if modified_ns != self._modified_ns:
            self._load()
            # File systems count time in ticks of some milliseconds: a folder changed just now may change again within
            # the same tick, so its time is only trusted once it has passed.
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
