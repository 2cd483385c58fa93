"""Secrets to be looked for in whatever a platform keeps, in every encoding that software gives to bytes and texts."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Needles:
    """What is looked for: by name, a text or bytes. Never shown: it may be a key."""

    secrets: Mapping[str, str | bytes] = field(repr=False)
    patterns: tuple[tuple[str, bytes], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = tuple((name, form) for name, secret in self.secrets.items() for form in forms(secret))
        object.__setattr__(self, "patterns", found)

    @property
    def longest(self) -> int:
        """Of two blocks of bytes, so much has to overlap that nothing is missed between them."""
        return max(len(pattern) for _, pattern in self.patterns)

    def within(self, data: bytes) -> set[str]:
        """Returns the names of those that are in a block of bytes."""
        return {name for name, pattern in self.patterns if pattern in data}


def forms(secret: str | bytes) -> Iterator[bytes]:
    """Yields a secret's forms: raw (a text in UTF-8 and UTF-16, escaped as in JSON and as in URLs), hexadecimal, and
    Base64 of whatever it may be a part of. A form that contains another one is left out."""
    raw = secret.encode() if isinstance(secret, str) else secret
    made = {raw, raw.hex().encode(), raw.hex().upper().encode(), *_base64(raw)}
    if isinstance(secret, str):
        made |= {json.dumps(secret)[1:-1].encode(), secret.encode("utf-16-le"), quote(secret).encode()}
    yield from (form for form in made if not any(other in form for other in made - {form}))


def _base64(raw: bytes) -> Iterator[bytes]:
    """Of each of the three places that the first byte can have, the characters that depend on nothing else; in the
    alphabet for URLs, too."""
    for before in range(3):
        encoded = b64encode(bytes(before) + raw)
        characters = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield characters
        yield characters.translate(bytes.maketrans(b"+/", b"-_"))
