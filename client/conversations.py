"""What a user sees of an account's conversations: read from its database."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from client.messaging import Device
from client.storage import Database


class MessageState(StrEnum):
    RECEIVED = "received"
    SENDING = "sending"
    SENT = "sent"
    PROBLEM = "problem"
    """Refused by the server, or of somebody and not readable."""


@dataclass(frozen=True, slots=True)
class Message:
    """`number`: on this device. `time`: milliseconds since 1970, when the server stored it or else when it was written.
    `problem`: a code, for the state PROBLEM."""

    number: int
    conversation_id: str
    own: bool
    text: str | None = field(repr=False)
    time: int
    state: MessageState
    problem: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """`username` is None until it is known. `last`: the number of the newest message; 0 for none."""

    id: str
    peer: str
    username: str | None
    unread: int
    last: int


_MESSAGES = """
select number, conversation_id, account_id, text, coalesce(sent_at, written_at), seq, problem from messages
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
            " coalesce(sum(m.number > c.read and m.account_id != ?), 0), coalesce(max(m.number), 0) as last"
            " from conversations as c left join messages as m on m.conversation_id = c.id"
            " group by c.id order by last desc, c.id",
            self._device.address.user,
        )
        return [Conversation(*row) for row in rows]

    def find(self, username: str) -> str | None:
        """The id of the conversation with somebody, if it is known here."""
        rows = self._database.rows("select id from conversations where username = ?", username)
        return rows[0][0] if rows else None

    def messages(self, conversation_id: str, limit: int = 200) -> list[Message]:
        """The newest messages of a conversation, in their order; those that the server has not accepted last."""
        rows = self._database.rows(
            f"select * from ({_MESSAGES} where conversation_id = ?"
            " order by seq is null desc, seq desc, number desc limit ?) order by seq is null, seq, number",
            conversation_id,
            limit,
        )
        return [self._message(row) for row in rows]

    def message(self, number: int) -> Message | None:
        """A message by its number."""
        rows = self._database.rows(f"{_MESSAGES} where number = ?", number)
        return self._message(rows[0]) if rows else None

    def read(self, conversation_id: str) -> None:
        """The user has seen all messages of a conversation."""
        self._database.execute(
            "update conversations set read ="
            " (select coalesce(max(number), 0) from messages where conversation_id = conversations.id) where id = ?",
            conversation_id,
        )

    def unnamed(self) -> list[str]:
        """Conversations with people whose usernames are not known."""
        return [id for (id,) in self._database.rows("select id from conversations where username is null")]

    def name(self, conversation_id: str, username: str) -> None:
        """Who a conversation is with."""
        self._database.execute("update conversations set username = ? where id = ?", username, conversation_id)

    def _message(self, row: tuple[Any, ...]) -> Message:
        number, conversation_id, account_id, text, time, seq, problem = row
        own = account_id == self._device.address.user
        if problem is not None:
            state = MessageState.PROBLEM
        elif not own:
            state = MessageState.RECEIVED
        else:
            state = MessageState.SENDING if seq is None else MessageState.SENT
        return Message(number, conversation_id, own, text, time, state, problem)
