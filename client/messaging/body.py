"""What people wrote, inside the encryption: the body of a `crypto.envelope.MessageContent`.

A JSON object. `version` is 1. `id`: the message's, 32 hexadecimal digits, chosen by its author; it is the same if a
message comes twice. `to`: the account that it is for, so that nobody can move a message into another conversation.
`text`: what was written. Readers ignore members that they do not know.
"""

import json
import re
from dataclasses import dataclass, field

_VERSION = 1
MAX_TEXT = 16_384
"""Characters."""
MAX_ENCODED = 32_768
"""Bytes of a body that is sent. Padded, encrypted for 19 devices (ten of each account, without the own one) and in
Base64 it stays below the server's limits: 64 KiB for an envelope, 1 MiB for a request."""

_ID = re.compile("[0-9a-f]{32}")


class TextTooLong(ValueError):
    """A text is longer than what can be sent."""

    def __init__(self) -> None:
        super().__init__(
            f"This message is too long: {MAX_TEXT:,} characters at most, fewer of those that take several bytes."
        )


class BadBody(Exception):
    """The bytes are no body, or of a later version. `code` says which: `malformed` or `too_new`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Body:
    id: str
    to: str
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id) or not _ID.fullmatch(self.to):
            raise ValueError("an id has 32 hexadecimal digits")
        if not self.text:
            raise ValueError("a text has at least one character")
        if len(self.text) > MAX_TEXT:
            raise TextTooLong

    def encode(self) -> bytes:
        """Raises TextTooLong, or UnicodeEncodeError for a lone surrogate."""
        encoded = json.dumps(
            {"version": _VERSION, "id": self.id, "to": self.to, "text": self.text}, ensure_ascii=False
        ).encode("utf-8")
        if len(encoded) > MAX_ENCODED:
            raise TextTooLong
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> "Body":
        """The inverse of `encode`. Raises BadBody."""
        try:
            members = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadBody("malformed") from error
        match members:
            case {"version": int(version)} if version > _VERSION:
                raise BadBody("too_new")
            case {"version": 1, "id": str(identifier), "to": str(to), "text": str(text)}:
                try:
                    text.encode()  # a lone surrogate cannot be stored
                    return cls(identifier, to, text)
                except ValueError as error:
                    raise BadBody("malformed") from error
        raise BadBody("malformed")
