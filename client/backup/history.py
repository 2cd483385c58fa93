"""What a backup contains: the history of an account as records, each a JSON object in a line, the newest of a key last.

The first line of a segment says its version. Records, by `kind`: `conversation` and `message`, as in their tables,
without local numbers; `reaction`, of the account `by` to a message; and `keys`, an account's as the directory has
proven them, so that a new device notices if they do not continue. No session and no private key: a new device has its
own.
Messages that the server has not accepted, or that could not be read and may come again, are not history yet, and those
that are to disappear never become it, since a segment stays. Readers ignore records and members that they do not know.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from client.backup.errors import BackupDamaged, BackupTooNew
from client.storage import Database

VERSION = 1
_FIRST_LINE = json.dumps({"version": VERSION}).encode() + b"\n"

_CONVERSATION = ("id", "peer", "username", "accepted", "expires_in_s", "timer_seq")
_CONVERSATIONS = f"select {', '.join(_CONVERSATION)} from conversations order by id"
_KEYS = "select account_id, keys, epoch_at from directory_keys order by account_id"
_ID = ("account_id", "device", "message_id")
_CONTENT = ("seq", "sent_at", "text", "problem", "quote", "edit_seq", "deleted")
_MESSAGE = ("conversation_id", *_ID, "written_at", *_CONTENT)
_STAYS = "messages.seq is not null and messages.problem is null and messages.expires_in_s is null"
_MESSAGES = f"select {', '.join(_MESSAGE)} from messages where {_STAYS} order by number"
_REACTIONS = f"""
select messages.account_id, device, message_id, reactions.account_id, emoji, reactions.seq
from reactions join messages on messages.number = reactions.number where {_STAYS} order by reactions.seq
"""
_REACTION = (*_ID, "by", "emoji", "seq")


@dataclass(frozen=True, slots=True)
class Record:
    """`key` names what it is about, `line` says it; `digest` changes with it (16 bytes)."""

    key: str
    line: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.line).digest()[:16]


def records(database: Database) -> Iterator[Record]:
    """The whole history. Conversations come before their messages."""
    for row in database.rows(_CONVERSATIONS):
        yield _record({"kind": "conversation", **dict(zip(_CONVERSATION, row, strict=True))})
    for account_id, keys, epoch_at in database.rows(_KEYS):
        encoded = base64.b64encode(keys).decode()
        yield _record({"kind": "keys", "account_id": account_id, "keys": encoded, "epoch_at": epoch_at})
    for row in database.rows(_MESSAGES):
        yield _record({"kind": "message", **dict(zip(_MESSAGE, row, strict=True))})
    for row in database.rows(_REACTIONS):
        yield _record({"kind": "reaction", **dict(zip(_REACTION, row, strict=True))})


def encode(records: Iterable[Record]) -> bytes:
    """The content of a segment."""
    return _FIRST_LINE + b"".join(record.line for record in records)


def decode(content: bytes) -> list[Record]:
    """The records of a segment, in order. Raises BackupDamaged or BackupTooNew."""
    first, *lines = content.split(b"\n")
    version = _members(first).get("version")
    if not isinstance(version, int) or lines[-1:] != [b""]:
        raise BackupDamaged("a segment cannot be read")
    if version > VERSION:
        raise BackupTooNew
    return [Record(_key(_members(line)), line + b"\n") for line in lines[:-1]]


def apply(database: Database, records: Iterable[Record]) -> int:
    """Takes over records, in one transaction of the caller's. Returns how many messages are new here. What this device
    knows already stays, unless it knows less. Raises BackupDamaged."""
    new = 0
    for record in records:
        members = _members(record.line)
        try:
            match members.get("kind"):
                case "conversation":
                    database.execute(_INSERT_CONVERSATION, *_values(members, _CONVERSATION))
                case "keys":
                    _apply_keys(database, members)
                case "message":
                    new += _apply_message(database, members)
                case "reaction":
                    database.execute(_INSERT_REACTION, *_values(members, ("by", "emoji", "seq", *_ID)))
        except (KeyError, TypeError, ValueError) as error:
            raise BackupDamaged("a record cannot be read") from error
    return new


def seen(database: Database) -> None:
    """All messages count as read, since they were on another device."""
    database.execute(
        "update conversations set read ="
        " (select coalesce(max(number), 0) from messages where conversation_id = conversations.id)"
    )


def _record(members: dict[str, Any]) -> Record:
    return Record(_key(members), json.dumps(members, ensure_ascii=False).encode() + b"\n")


def _key(members: dict[str, Any]) -> str:
    """What a record is about."""
    names = {
        "conversation": ("id",),
        "keys": ("account_id",),
        "message": _ID,
        "reaction": (*_ID, "by"),
    }.get(str(members.get("kind")), ())
    return " ".join([str(members.get("kind")), *(str(members.get(name)) for name in names)])


def _members(line: bytes) -> dict[str, Any]:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BackupDamaged("a record cannot be read") from error
    if not isinstance(members, dict):
        raise BackupDamaged("a record cannot be read")
    return members


_INSERT_CONVERSATION = f"""
insert into conversations ({", ".join(_CONVERSATION)}) values ({", ".join("?" * len(_CONVERSATION))})
on conflict (id) do update set username = coalesce(username, excluded.username),
    accepted = max(accepted, excluded.accepted),
    expires_in_s = iif(timer_seq < excluded.timer_seq, excluded.expires_in_s, expires_in_s),
    timer_seq = max(timer_seq, excluded.timer_seq)
"""


def _apply_keys(database: Database, members: dict[str, Any]) -> None:
    """As known before; looked up again before anything is encrypted for the account."""
    database.execute(
        "insert into directory_keys (account_id, keys, looked_up_at, epoch_at) values (?, ?, 0, ?)"
        " on conflict (account_id) do update set keys = excluded.keys, epoch_at = excluded.epoch_at, looked_up_at = 0"
        " where directory_keys.epoch_at < excluded.epoch_at",
        _text(members["account_id"]),
        base64.b64decode(members["keys"], validate=True),
        int(members["epoch_at"]),
    )


_INSERT_MESSAGE = f"""
insert into messages ({", ".join(_MESSAGE)}) values ({", ".join("?" * len(_MESSAGE))})
on conflict (account_id, device, message_id) do nothing
"""
_UPDATE_MESSAGE = f"""
update messages set {", ".join(f"{name} = ?" for name in _CONTENT)}
where account_id = ? and device = ? and message_id = ? and not deleted
    and (seq is null or ? or coalesce(edit_seq, 0) < coalesce(?, 0))
"""
_INSERT_REACTION = """
insert into reactions (number, account_id, emoji, seq)
select number, ?, ?, ? from messages where account_id = ? and device = ? and message_id = ?
on conflict (number, account_id) do update set emoji = excluded.emoji, seq = excluded.seq where seq < excluded.seq
"""


def _apply_message(database: Database, members: dict[str, Any]) -> int:
    added = database.execute(_INSERT_MESSAGE, *_values(members, _MESSAGE))
    if not added:
        database.execute(_UPDATE_MESSAGE, *_values(members, (*_CONTENT, *_ID, "deleted", "edit_seq")))
    return added


def _values(members: dict[str, Any], names: Iterable[str]) -> list[str | int | None]:
    """Raises KeyError or TypeError."""
    values = [members[name] for name in names]
    if not all(isinstance(value, str | int | None) for value in values):
        raise TypeError
    return values


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
