"""What proves to moderators that others have sent messages (crypto.franking): kept with each message, also of each edit
of it, until it is deleted or disappears. Callers hold the transaction."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from client.messaging.changes import Change, MessageChanged
from client.messaging.contents import Content, Edit, Text
from client.storage import Database
from crypto.franking import FrankedMessage


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that the account `sender` has sent in a conversation, under its number there. `delivery_tag`: the
    server's, which says so."""

    conversation_id: str
    sender: str
    seq: int
    franked: FrankedMessage = field(repr=False)
    delivery_tag: bytes


def keep(
    database: Database,
    content: Content,
    changes: Iterable[Change],
    seq: int,
    franked: FrankedMessage,
    delivery_tag: bytes | None,
) -> None:
    """Keeps the proof of a text or an edit with the messages that it has changed. `delivery_tag`: None if the server
    has sent none; then it cannot be reported."""
    if delivery_tag is None or not isinstance(content, Text | Edit):
        return
    for change in changes:
        if isinstance(change, MessageChanged):
            database.execute(
                "insert or ignore into evidence (number, seq, opening, content, delivery_tag)"
                " select number, ?, ?, ?, ? from messages where number = ?",
                *(seq, franked.opening, franked.content, delivery_tag, change.number),
            )


def of_message(database: Database, number: int) -> list[Evidence]:
    """What there is of a message and its edits, in their order."""
    rows = database.rows(
        "select m.conversation_id, m.account_id, e.seq, e.content, e.opening, e.delivery_tag from evidence as e"
        " join messages as m using (number) where number = ? order by e.seq",
        number,
    )
    return [
        Evidence(conversation_id, sender, seq, FrankedMessage(content, opening), tag)
        for conversation_id, sender, seq, content, opening, tag in rows
    ]


def delete(database: Database, number: int) -> None:
    """A message is deleted for everybody."""
    database.execute("delete from evidence where number = ?", number)
