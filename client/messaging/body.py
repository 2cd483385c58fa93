"""What people do in a conversation, inside the encryption: the body of a `crypto.envelope.MessageContent`.

A JSON object. `version` is 1. `id`: the body's, 32 hexadecimal digits, chosen by its author; it is the same if it comes
twice. `to`: the account that it is for (in a group, the group), so that nobody can move it into another conversation.
One more member says what it is (contents.py). Readers ignore members that they do not know; of what they do not know
at all they say that it is too new.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from client.messaging import polls
from client.messaging.contents import (
    Attachment,
    Content,
    Deletion,
    Edit,
    Quote,
    Reaction,
    Receipt,
    Rename,
    Resend,
    Text,
    Timer,
    Vote,
)
from client.messaging.lines import is_line
from crypto.attachments import AttachmentPointer
from crypto.errors import CryptoError

_VERSION = 1
MAX_TEXT = 16_384
"""Characters."""
MAX_ENCODED = 32_768
"""Bytes of a body that is sent. Padded, encrypted for 19 devices (ten of each account, without the own one) and in
Base64 it stays below the server's limits: 64 KiB for an envelope, 1 MiB for a request."""
MAX_QUOTE = 200
"""Characters of a quoted text."""
MAX_EMOJI = 32
MAX_RECEIPTS = 100
MAX_ATTACHMENTS = 10
MAX_NAME = 255
"""Characters of a file's name."""
MAX_MEDIA_TYPE = 127
MAX_GROUP_NAME = 100
MAX_TIMER_S = 30 * 86_400
_MAX_NUMBER = 2**53 - 1

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
    content: Content

    def __post_init__(self) -> None:
        _check_ids(self.id, self.to)
        _check(self.content)

    def encode(self) -> bytes:
        """Raises TextTooLong, or UnicodeEncodeError for a lone surrogate."""
        members = {"version": _VERSION, "id": self.id, "to": self.to, **_members(self.content)}
        encoded = json.dumps(members, ensure_ascii=False).encode("utf-8")
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
            case {"version": 1, "id": str(identifier), "to": str(to)}:
                try:
                    json.dumps(members, ensure_ascii=False).encode()  # a lone surrogate cannot be stored
                    return cls(identifier, to, _content(members))
                except (ValueError, RecursionError) as error:
                    raise BadBody("malformed") from error
        raise BadBody("malformed")


def _members(content: Content) -> dict[str, Any]:
    match content:
        case Text(text, quote, expires_in_s, again, attachments):
            members: dict[str, Any] = {"text": text}
            if quote is not None:
                members["quote"] = {"author": quote.account_id, "id": quote.id, "text": quote.text}
            if expires_in_s is not None:
                members["expires_in_s"] = expires_in_s
            if again is not None:
                members["again"] = again
            if attachments:
                members["attachments"] = [_attachment_members(each) for each in attachments]
            if content.poll is not None:
                members["poll"] = polls.members(content.poll)
            return members
        case Receipt(ids, read):
            return {"receipt": {"ids": list(ids), "read": read}}
        case Reaction(account_id, id, emoji):
            return {"reaction": {"author": account_id, "id": id, "emoji": emoji}}
        case Edit(id, text):
            return {"edit": {"id": id, "text": text}}
        case Deletion(id):
            return {"deletion": {"id": id}}
        case Timer(expires_in_s):
            return {"timer": {"expires_in_s": expires_in_s}}
        case Resend(account_id, device, seq):
            return {"resend": {"author": account_id, "device": device, "seq": seq}}
        case Rename(name, since):
            return {"rename": {"name": name} if since is None else {"name": name, "since": since}}
        case Vote(account_id, id, choices):
            return {"vote": {"author": account_id, "id": id, "choices": list(choices)}}


def _content(members: dict[str, Any]) -> Content:
    """Raises BadBody, or ValueError."""
    match members:
        case {"text": str(text)}:
            quote, again = _quote(members.get("quote")), _integer(members.get("again"))
            attachments = _attachments(members.get("attachments", []))
            poll = polls.decode(members.get("poll"))
            return Text(text, quote, _integer(members.get("expires_in_s")), again, attachments, poll)
        case {"receipt": {"ids": list(ids), "read": bool(read)}} if all(isinstance(each, str) for each in ids):
            return Receipt(tuple(ids), read)
        case {"reaction": {"author": str(account_id), "id": str(id), "emoji": str() | None as emoji}}:
            return Reaction(account_id, id, emoji)
        case {"edit": {"id": str(id), "text": str(text)}}:
            return Edit(id, text)
        case {"deletion": {"id": str(id)}}:
            return Deletion(id)
        case {"timer": {"expires_in_s": expires_in_s}}:
            return Timer(_integer(expires_in_s))
        case {"resend": {"author": str(account_id), "device": int(device), "seq": int(seq)}}:
            return Resend(account_id, device, seq)
        case {"rename": {"name": str(name), **more}}:
            return Rename(name, _integer(more.get("since")))
        case {"vote": {"author": str(account_id), "id": str(id), "choices": list(choices)}}:
            return Vote(account_id, id, polls.decode_choices(choices))
    known = {"text", "receipt", "reaction", "edit", "deletion", "timer", "resend", "rename", "vote"}
    raise BadBody("malformed" if known & members.keys() else "too_new")


def _quote(members: object) -> Quote | None:
    match members:
        case None:
            return None
        case {"author": str(account_id), "id": str(id), "text": str(text)}:
            return Quote(account_id, id, text)
    raise ValueError("no quote")


def _attachment_members(attachment: Attachment) -> dict[str, Any]:
    return {
        "id": attachment.id,
        "pointer": base64.b64encode(attachment.pointer.encode()).decode(),
        "name": attachment.name,
        "media_type": attachment.media_type,
        "length": attachment.length,
    }


def _attachments(members: object) -> tuple[Attachment, ...]:
    """Raises ValueError."""
    if not isinstance(members, list):
        raise ValueError("no list of attachments")
    return tuple(map(_attachment, members))


def _attachment(members: object) -> Attachment:
    match members:
        case {
            "id": str(id),
            "pointer": str(pointer),
            "name": str(name),
            "media_type": str(media_type),
            "length": length,
        }:
            try:
                decoded = AttachmentPointer.decode(base64.b64decode(pointer, validate=True))
            except CryptoError as error:
                raise ValueError("no pointer to an attachment") from error
            if (known_length := _integer(length)) is not None:
                return Attachment(id, decoded, name, media_type, known_length)
    raise ValueError("no attachment")


def _integer(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("no whole number")


def _check(content: Content) -> None:
    match content:
        case Text(text, quote, expires_in_s, again, attachments):
            _check_text(text)
            _check_timer(expires_in_s)
            _check_numbers(*(() if again is None else (again,)))
            if quote is not None:
                _check_ids(quote.account_id, quote.id)
                if len(quote.text) > MAX_QUOTE:
                    raise ValueError(f"a quoted text has at most {MAX_QUOTE} characters")
            _check_attachments(attachments)
            if content.poll is not None:
                polls.check(content.poll)
        case Receipt(ids):
            _check_ids(*ids)
            if not 1 <= len(ids) <= MAX_RECEIPTS:
                raise ValueError(f"a receipt is for one message to {MAX_RECEIPTS}")
        case Reaction(account_id, id, emoji):
            _check_ids(account_id, id)
            if emoji is not None and not 1 <= len(emoji) <= MAX_EMOJI:
                raise ValueError(f"a reaction has one to {MAX_EMOJI} characters")
        case Edit(id, text):
            _check_ids(id)
            _check_text(text)
        case Deletion(id):
            _check_ids(id)
        case Timer(expires_in_s):
            _check_timer(expires_in_s)
        case Resend(account_id, device, seq):
            _check_ids(account_id)
            _check_numbers(device, seq)
        case Vote(account_id, id, choices):
            _check_ids(account_id, id)
            polls.check_choices(choices)
        case Rename(name, since):
            if since is not None and not 0 <= since <= _MAX_NUMBER:
                raise ValueError("a number is out of range")
            check_group_name(name)


def check_group_name(name: str) -> None:
    """Raises ValueError, whose text is for the user."""
    if len(name) > MAX_GROUP_NAME or not is_line(name):
        raise ValueError(f"The name of a group has 1 to {MAX_GROUP_NAME} characters that can be seen, in one line.")


def _check_ids(*ids: str) -> None:
    if not all(_ID.fullmatch(each) for each in ids):
        raise ValueError("an id has 32 hexadecimal digits")


def _check_numbers(*numbers: int) -> None:
    if not all(1 <= each <= _MAX_NUMBER for each in numbers):
        raise ValueError("a number is out of range")


def _check_attachments(attachments: tuple[Attachment, ...]) -> None:
    if len(attachments) > MAX_ATTACHMENTS:
        raise ValueError(f"a message has at most {MAX_ATTACHMENTS} attachments")
    for each in attachments:
        _check_ids(each.id)
        _check_numbers(each.pointer.size)
        if not 1 <= len(each.name) <= MAX_NAME or len(each.media_type) > MAX_MEDIA_TYPE:
            raise ValueError("the name or the type of a file is too long, or there is none")
        if not 0 <= each.length <= _MAX_NUMBER:
            raise ValueError("a number is out of range")


def _check_text(text: str) -> None:
    if not text:
        raise ValueError("a text has at least one character")
    if len(text) > MAX_TEXT:
        raise TextTooLong


def _check_timer(expires_in_s: int | None) -> None:
    if expires_in_s is not None and not 1 <= expires_in_s <= MAX_TIMER_S:
        raise ValueError(f"messages disappear after 1 to {MAX_TIMER_S:,} seconds")
