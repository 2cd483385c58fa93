"""What a user sees of an account's conversations: read from its database, with what waits to be sent as if it were."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from client.messaging import Device, attachment_rows
from client.messaging.body import Body
from client.messaging.contents import Attachment, Deletion, Edit, Quote, Reaction, Timer
from client.storage import Database


class MessageState(StrEnum):
    RECEIVED = "received"
    SENDING = "sending"
    """The message, or a change of it."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PROBLEM = "problem"
    """Refused by the server, or of somebody and not readable."""


@dataclass(frozen=True, slots=True)
class Message:
    """`number`: on this device. `id`: its author's, for others. `time`: milliseconds since 1970, when the server stored
    it or else when it was written. `text`: None if deleted or a problem. `problem`: a code, for the state PROBLEM.
    `reactions`: by account. `expires_in_s`: how long it stays once it was read, `expires_at`: when it disappears."""

    number: int
    conversation_id: str
    account_id: str
    id: str
    own: bool
    text: str | None = field(repr=False)
    time: int
    state: MessageState
    problem: str | None
    quote: Quote | None = None
    edited: bool = False
    deleted: bool = False
    reactions: dict[str, str] = field(default_factory=dict)
    expires_in_s: int | None = None
    expires_at: int | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """`username` is None until it is known. `last`: the number of the newest message; 0 for none. `expires_in_s`: after
    which time messages disappear that are written now."""

    id: str
    peer: str
    username: str | None
    unread: int
    last: int
    expires_in_s: int | None = None


_MESSAGES = """
select number, conversation_id, account_id, message_id, text, coalesce(sent_at, written_at), seq, problem, quote,
    edit_seq is not null, deleted, expires_in_s, expires_at,
    (select max(read) from receipts where receipts.number = messages.number)
from messages
"""


class Conversations:
    """Callers hold no transaction."""

    def __init__(self, database: Database, device: Device) -> None:
        self._database = database
        self._device = device

    def all(self) -> list[Conversation]:
        """All conversations, the one with the newest message first."""
        rows = self._database.rows(
            "select c.id, c.peer, c.username,"
            " coalesce(sum(m.number > c.read and m.account_id != ?), 0), coalesce(max(m.number), 0) as last,"
            " c.expires_in_s"
            " from conversations as c left join messages as m on m.conversation_id = c.id"
            " group by c.id order by last desc, c.id",
            self._device.address.user,
        )
        timers = {id: body.content.expires_in_s for id, body in self._waiting() if isinstance(body.content, Timer)}
        return [
            Conversation(id, peer, username, unread, last, timers.get(id, timer))
            for id, peer, username, unread, last, timer in rows
        ]

    def find(self, username: str) -> str | None:
        """The id of the conversation with somebody, if it is known here."""
        rows = self._database.rows("select id from conversations where username = ?", username)
        return rows[0][0] if rows else None

    def timer(self, conversation_id: str) -> int | None:
        """After how many seconds what is written now disappears; None if it stays."""
        return next(each.expires_in_s for each in self.all() if each.id == conversation_id)

    def messages(self, conversation_id: str, limit: int = 200) -> list[Message]:
        """The newest messages of a conversation, in their order; those that the server has not accepted last."""
        rows = self._database.rows(
            f"select * from ({_MESSAGES} where conversation_id = ?"
            " order by seq is null desc, seq desc, number desc limit ?) order by seq is null, seq, number",
            conversation_id,
            limit,
        )
        return self._render(rows)

    def message(self, number: int) -> Message | None:
        """A message by its number."""
        rows = self._database.rows(f"{_MESSAGES} where number = ?", number)
        return self._render(rows)[0] if rows else None

    def search(self, words: str, limit: int = 50) -> list[Message]:
        """The newest messages that have all these words, or words that begin so, whatever their accents and case."""
        quoted = [f'"{word}"*' for word in re.findall(r"\w+", words)]
        rows = self._database.rows(
            "select m.number from message_search as s join messages as m on m.number = s.rowid"
            " where message_search match ? order by coalesce(m.sent_at, m.written_at) desc, m.number desc"
            " limit ?",
            " ".join(quoted) or '""',
            limit,
        )
        found = [self.message(number) for (number,) in rows]
        return [each for each in found if each is not None]

    def since(self, number: int) -> int:
        """How many messages a conversation has from one of them on, itself included."""
        ((count,),) = self._database.rows(
            "select count(*) from messages as m join messages as o on o.conversation_id = m.conversation_id"
            " where o.number = ? and (m.seq is null or m.seq >= o.seq or (o.seq is null and m.number >= o.number))",
            number,
        )
        return int(count)

    def unnamed(self) -> list[str]:
        """Conversations with people whose usernames are not known."""
        return [id for (id,) in self._database.rows("select id from conversations where username is null")]

    def name(self, conversation_id: str, username: str) -> None:
        """Who a conversation is with."""
        self._database.execute("update conversations set username = ? where id = ?", username, conversation_id)

    def _waiting(self, conversation_id: str | None = None) -> list[tuple[str, Body]]:
        """What waits to be sent, in its order, with its conversation."""
        rows = self._database.rows("select conversation_id, body from outgoing order by number")
        return [(id, Body.decode(body)) for id, body in rows if conversation_id in (None, id)]

    def _render(self, rows: list[tuple[Any, ...]]) -> list[Message]:
        """Messages of one conversation."""
        if not rows:
            return []
        reactions: dict[int, dict[str, str]] = defaultdict(dict)
        for number, account_id, emoji in self._database.rows(
            "select number, account_id, emoji from reactions where emoji is not null"
            " and number in (select value from json_each(?))",
            json.dumps([row[0] for row in rows]),
        ):
            reactions[number][account_id] = emoji
        files = attachment_rows.of_messages(self._database, [row[0] for row in rows])
        own = self._device.address.user
        found = {(row[2], row[3]): self._message(row, reactions[row[0]], files[row[0]]) for row in rows}
        for _, body in self._waiting(rows[0][1]):
            match body.content:
                case Edit(id, text) if (message := found.get((own, id))) is not None and not message.deleted:
                    changed = replace(message, text=text, edited=True, state=MessageState.SENDING)
                case Deletion(id) if (message := found.get((own, id))) is not None:
                    changed = replace(
                        message,
                        text=None,
                        quote=None,
                        deleted=True,
                        reactions={},
                        attachments=(),
                        state=MessageState.SENDING,
                    )
                case Reaction(author, id, emoji) if (message := found.get((author, id))) is not None:
                    others = {user: each for user, each in message.reactions.items() if user != own}
                    changed = replace(message, reactions=others if emoji is None else {**others, own: emoji})
                case _:
                    continue
            found[changed.account_id, changed.id] = changed
        return list(found.values())

    def _message(self, row: tuple[Any, ...], reactions: dict[str, str], attachments: tuple[Attachment, ...]) -> Message:
        number, conversation_id, account_id, id, text, time, seq, problem, quote, edited, deleted, *rest = row
        expires_in_s, expires_at, read = rest
        own = account_id == self._device.address.user
        if problem is not None:
            state = MessageState.PROBLEM
        elif not own:
            state = MessageState.RECEIVED
        elif read is not None:
            state = MessageState.READ if read else MessageState.DELIVERED
        else:
            state = MessageState.SENDING if seq is None else MessageState.SENT
        return Message(
            *(number, conversation_id, account_id, id, own, text, time, state, problem),
            None if quote is None else Quote(*json.loads(quote)),
            bool(edited),
            bool(deleted),
            reactions,
            expires_in_s,
            expires_at,
            attachments,
        )
