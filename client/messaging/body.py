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

_ID = re.compile("[0-9a-f]{32}")


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
        if not 0 < len(self.text) <= MAX_TEXT:
            raise ValueError(f"a text has 1 to {MAX_TEXT} characters")

    def encode(self) -> bytes:
        return json.dumps(
            {"version": _VERSION, "id": self.id, "to": self.to, "text": self.text}, ensure_ascii=False
        ).encode("utf-8")

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
