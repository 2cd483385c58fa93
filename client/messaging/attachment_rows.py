"""The attachments of messages in the account's database, and those that are to be deleted at the server."""

import json
from collections import defaultdict
from collections.abc import Iterable

from client.messaging.contents import Attachment
from client.storage import Database
from crypto.attachments import AttachmentPointer


def add(database: Database, number: int, attachments: Iterable[Attachment]) -> None:
    """Adds the attachments of a message. A second time changes nothing."""
    for position, each in enumerate(attachments):
        database.execute(
            "insert or ignore into attachments (number, position, id, pointer, name, media_type, length)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            *(number, position, each.id, each.pointer.encode(), each.name, each.media_type, each.length),
        )


def of_messages(database: Database, numbers: Iterable[int]) -> dict[int, tuple[Attachment, ...]]:
    """The attachments of messages, by their numbers, in order."""
    found: dict[int, tuple[Attachment, ...]] = defaultdict(tuple)
    rows = database.rows(
        "select number, id, pointer, name, media_type, length from attachments"
        " where number in (select value from json_each(?)) order by number, position",
        json.dumps(list(numbers)),
    )
    for number, id, pointer, name, media_type, length in rows:
        found[number] += (Attachment(id, AttachmentPointer.decode(pointer), name, media_type, length),)
    return found


def delete(database: Database, number: int, *, own: bool) -> None:
    """A message is deleted for everybody. `own`: its attachments are this account's, and deleted at the server, too."""
    if own:
        database.execute(
            "insert or ignore into unwanted_attachments (id) select id from attachments where number = ?", number
        )
    database.execute("delete from attachments where number = ?", number)


def unwanted(database: Database) -> str | None:
    """The id of an attachment that is to be deleted at the server."""
    rows = database.rows("select id from unwanted_attachments limit 1")
    return rows[0][0] if rows else None


def deleted(database: Database, attachment_id: str) -> None:
    """The server does not have an attachment any more."""
    database.execute("delete from unwanted_attachments where id = ?", attachment_id)


def digests(database: Database) -> set[bytes]:
    """The digests of all files that messages and uploads have."""
    rows = database.rows("select pointer from attachments union select pointer from uploads")
    return {AttachmentPointer.decode(pointer).digest for (pointer,) in rows}
