"""What a device tells a new one of the same account: conversations, and as many of the newest messages as there is room
for. JSON, compressed. Nothing of sessions or keys: the new device has its own.
"""

import json
import zlib
from typing import Any

from client.storage import Database

_MAX = 1 << 24
_CONVERSATION = "id, peer, username, accepted, expires_in_s, timer_seq"
_MESSAGE = (
    "conversation_id, account_id, device, message_id, seq, sent_at, written_at, text, quote, edit_seq, deleted,"
    " expires_in_s, expires_at"
)


def export_history(database: Database, room: int) -> bytes:
    """At most `room` bytes."""
    conversations = database.rows(f"select {_CONVERSATION} from conversations")
    limit = 4_000
    while True:
        messages = database.rows(
            f"select {_MESSAGE} from messages where seq is not null and problem is null"
            " order by sent_at desc, seq desc limit ?",
            limit,
        )
        newest = json.dumps([[row[1], row[2], row[3]] for row in messages])
        reactions = database.rows(
            "select m.account_id, m.device, m.message_id, r.account_id, r.emoji, r.seq from reactions as r"
            " join messages as m using (number) where json_array(m.account_id, m.device, m.message_id) in"
            " (select value from json_each(?))",
            newest,
        )
        found = {"version": 1, "conversations": conversations, "messages": messages, "reactions": reactions}
        encoded = zlib.compress(json.dumps(found).encode(), 9)
        if len(encoded) <= room:
            return encoded
        if not messages:
            return b""
        limit = len(messages) // 2


def import_history(database: Database, encoded: bytes) -> None:
    """Takes over what another device has told, in the caller's transaction. What is here stays. Raises ValueError."""
    try:
        inflater = zlib.decompressobj()
        found: dict[str, Any] = json.loads(inflater.decompress(encoded, _MAX))
        if found["version"] != 1:
            raise ValueError("the history is of a newer version")
        _insert(database, "conversations", _CONVERSATION, found["conversations"])
        _insert(database, "messages", _MESSAGE, sorted(found["messages"], key=lambda row: row[5]))
        for account_id, device, message_id, *reaction in found["reactions"]:
            database.execute(
                "insert or ignore into reactions (number, account_id, emoji, seq) select number, ?, ?, ? from messages"
                " where account_id = ? and device = ? and message_id = ?",
                *(*reaction, account_id, device, message_id),
            )
        database.execute(
            "update conversations set read = (select coalesce(max(number), 0) from messages where conversation_id = id)"
        )
    except (zlib.error, KeyError, TypeError, IndexError) as error:
        raise ValueError("the history is damaged") from error


def _insert(database: Database, table: str, columns: str, rows: list[list[Any]]) -> None:
    count = len(columns.split(","))
    for row in rows:
        if len(row) != count:
            raise ValueError("the history is damaged")
        values = ", ".join("?" * count)
        database.execute(f"insert or ignore into {table} ({columns}) values ({values})", *row)
