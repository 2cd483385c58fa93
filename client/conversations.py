"""What a user sees of an account's conversations: read from its database, with what waits to be sent as if it were."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from client.messaging import Device, attachment_rows, polls
from client.messaging.body import Body
from client.messaging.contents import Attachment, Deletion, Edit, Quote, Reaction, Timer, Vote
from client.messaging.polls import PollResult
from client.storage import Database
from crypto.mls import Role


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
    poll: PollResult | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """With somebody, or a group. `username` is the other's, or the group's name; None until it is known. `left`: the
    user is not in the group, or not yet. `last`: the number of the newest message; 0 for none. `expires_in_s`: after
    which time messages disappear that are written now. `muted_until`: milliseconds since 1970."""

    id: str
    peer: str
    username: str | None
    unread: int
    last: int
    expires_in_s: int | None = None
    left: bool = False
    muted_until: int | None = None
    archived: bool = False
    pinned: bool = False

    @property
    def is_group(self) -> bool:
        return self.peer == self.id


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a group. `username`: None until it is known."""

    account_id: str
    username: str | None
    role: Role
    own: bool


_MESSAGES = """
select number, conversation_id, account_id, message_id, text, coalesce(sent_at, written_at), seq, problem, quote,
    edit_seq is not null, deleted, expires_in_s, expires_at,
    (select min(read) from receipts where receipts.number = m.number having count(*) >= max(1,
        (select count(*) - 1 from group_members where group_id = m.conversation_id)))
from messages as m
"""
_SHOWN = """
(m.account_id not in (select account_id from blocked)
    or m.conversation_id not in (select id from conversations where peer = id))
"""
"""What people who are blocked say in groups is not shown."""


_USERNAME = """
coalesce((select username from conversations where peer = m.account_id and username is not null limit 1),
    (select username from people where people.account_id = m.account_id))
"""


class Conversations:
    """Callers hold no transaction."""

    def __init__(self, database: Database, device: Device) -> None:
        self._database = database
        self._device = device

    def all(self) -> list[Conversation]:
        """All conversations, those that are pinned first and those in the archive last, each by its newest message."""
        return self._find("")

    def conversation(self, conversation_id: str) -> Conversation | None:
        """A conversation by its id."""
        return next(iter(self._find("where c.id = ?", conversation_id)), None)

    def _find(self, where: str, *values: str) -> list[Conversation]:
        rows = self._database.rows(
            "select c.id, c.peer, c.username,"
            " coalesce(sum(m.number > c.read and m.account_id != ?), 0), coalesce(max(m.number), 0) as last,"
            " c.expires_in_s, coalesce(g.state in ('joining', 'left'), c.peer = c.id),"
            " c.muted_until, c.archived, c.pinned"
            " from conversations as c left join groups as g on g.id = c.id"
            f" left join messages as m on m.conversation_id = c.id and {_SHOWN}"
            f" {where} group by c.id order by c.pinned desc, c.archived, last desc, c.id",
            self._device.address.user,
            *values,
        )
        timers = {id: body.content.expires_in_s for id, body in self._waiting() if isinstance(body.content, Timer)}
        return [
            Conversation(id, peer, username, unread, last, timers.get(id, timer), bool(left), muted, *map(bool, chosen))
            for id, peer, username, unread, last, timer, left, muted, *chosen in rows
        ]

    def find(self, username: str) -> str | None:
        """The id of the conversation with somebody, if it is known here."""
        rows = self._database.rows("select id from conversations where username = ? and peer != id", username)
        return rows[0][0] if rows else None

    def timer(self, conversation_id: str) -> int | None:
        """After how many seconds what is written now disappears; None if it stays."""
        return next(each.expires_in_s for each in self.all() if each.id == conversation_id)

    def messages(self, conversation_id: str, limit: int = 200) -> list[Message]:
        """The newest messages of a conversation, in their order; those that the server has not accepted last."""
        rows = self._database.rows(
            f"select * from ({_MESSAGES} where conversation_id = ? and {_SHOWN}"
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
            f" where message_search match ? and {_SHOWN} order by coalesce(m.sent_at, m.written_at) desc, m.number desc"
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
            " where o.number = ? and (m.seq is null or m.seq >= o.seq or (o.seq is null and m.number >= o.number))"
            f" and {_SHOWN}",
            number,
        )
        return int(count)

    def unnamed(self) -> list[str]:
        """Conversations with people whose usernames are not known."""
        rows = self._database.rows("select id from conversations where username is null and peer != id")
        return [id for (id,) in rows]

    def name(self, conversation_id: str, username: str) -> None:
        """Who a conversation is with."""
        self._database.execute("update conversations set username = ? where id = ?", username, conversation_id)

    # --- people in groups ---------------------------------------------------------------------------------------

    def members(self, conversation_id: str) -> list[Member]:
        """Who is in a group: owners first, then admins."""
        own = self._device.address.user
        rows = self._database.rows(
            f"select m.account_id, {_USERNAME}, m.role from group_members as m"
            " where m.group_id = ? order by m.role desc, 2, m.account_id",
            conversation_id,
        )
        return [Member(account_id, username, Role(role), account_id == own) for account_id, username, role in rows]

    def username(self, account_id: str) -> str | None:
        """The username of somebody, if it is known here."""
        ((username,),) = self._database.rows(f"select {_USERNAME} from (select ? as account_id) as m", account_id)
        return None if username is None else str(username)

    def account(self, username: str) -> str | None:
        """The account of somebody whom the user writes to. (Usernames change hands: others are asked for.)"""
        rows = self._database.rows("select peer from conversations where username = ? and peer != id", username)
        return rows[0][0] if rows else None

    def unnamed_people(self, limit: int) -> list[str]:
        """Accounts in groups whose usernames are not known."""
        rows = self._database.rows(
            f"select distinct m.account_id from group_members as m where {_USERNAME} is null and m.account_id != ?"
            " limit ?",
            *(self._device.address.user, limit),
        )
        return [account_id for (account_id,) in rows]

    def name_person(self, account_id: str, username: str) -> None:
        """How somebody is called."""
        self._database.execute(
            "insert or replace into people (account_id, username) values (?, ?)", account_id, username
        )

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
        asked = polls.of_messages(self._database, [row[0] for row in rows])
        shown = [self._message(row, reactions[row[0]], files[row[0]], asked.get(row[0])) for row in rows]
        found = {(each.account_id, each.id): each for each in shown}
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
                        poll=None,
                        state=MessageState.SENDING,
                    )
                case Reaction(author, id, emoji) if (message := found.get((author, id))) is not None:
                    others = {user: each for user, each in message.reactions.items() if user != own}
                    changed = replace(message, reactions=others if emoji is None else {**others, own: emoji})
                case Vote(author, id, choices) if (message := found.get((author, id))) is not None and message.poll:
                    votes = {**message.poll.votes, own: choices}
                    changed = replace(message, poll=replace(message.poll, votes=votes))
                case _:
                    continue
            found[changed.account_id, changed.id] = changed
        return list(found.values())

    def _message(
        self,
        row: tuple[Any, ...],
        reactions: dict[str, str],
        attachments: tuple[Attachment, ...],
        poll: PollResult | None,
    ) -> Message:
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
            poll,
        )
