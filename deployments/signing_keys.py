"""The signing keys of a cluster, which its environment file carries to every node (ENTATIVA_SIGNING_KEYS).

A node's replicas read them from files, as on a single machine: `entativa node` writes these when it starts.
"""

import base64
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from cluster.local.processes import ServiceError
from features.auth.keys import SIGNS_AFTER, generate_key

KeysByBrand = dict[str, dict[str, str]]
"""Brand, name of the key, its PEM file in base64."""

VARIABLE = "ENTATIVA_SIGNING_KEYS"

_adapter: TypeAdapter[KeysByBrand] = TypeAdapter(KeysByBrand)
_LINE = re.compile(rf"^{VARIABLE}='(.*)'$", re.MULTILINE)


def new_keys(brands: Iterable[str], now: datetime) -> KeysByBrand:
    """One new key for each brand, which signs from `now` on."""
    found: KeysByBrand = {}
    with tempfile.TemporaryDirectory() as folder:
        for brand in brands:
            directory = Path(folder) / brand
            kid = generate_key(directory, now)
            found[brand] = {kid: base64.b64encode((directory / f"{kid}.pem").read_bytes()).decode()}
    return found


def write_keys(directory: Path, variable: str) -> None:
    """Make the files under `directory` what the variable says: running replicas notice within a second. Raises
    ServiceError if the variable cannot be read."""
    try:
        keys = _adapter.validate_json(variable)
    except ValueError as error:
        raise ServiceError(f"{VARIABLE} is not what 'entativa node environment' prints: {error}") from None
    for brand, named in keys.items():
        folder = directory / brand
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for kid, encoded in named.items():
            file = folder / f"{kid}.pem"
            if not file.exists():
                draft = folder / f".{kid}"
                draft.unlink(missing_ok=True)
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
                    written.write(base64.b64decode(encoded))
                draft.rename(file)  # a reader sees a whole key or none
        for file in folder.glob("*.pem"):
            if file.stem not in named:
                file.unlink(missing_ok=True)


def rotated(text: str, now: datetime) -> str:
    """An environment file's text with one more key per brand, and without those before the one that signs now: their
    tokens have expired. Raises ServiceError if the text has no keys."""
    line = _LINE.search(text)
    if line is None:
        raise ServiceError(f"the file has no {VARIABLE}='...'")
    old = _adapter.validate_json(line[1])
    keys = {
        brand: {max(old[brand]): old[brand][max(old[brand])], **new}
        for brand, new in new_keys(old, now + SIGNS_AFTER).items()
    }
    return f"{text[: line.start()]}{variable_line(keys)}{text[line.end() :]}"


def variable_line(keys: Mapping[str, Mapping[str, str]]) -> str:
    """The line of the environment file."""
    return f"{VARIABLE}='{_adapter.dump_json({brand: dict(named) for brand, named in keys.items()}).decode()}'"
