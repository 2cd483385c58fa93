"""What a conversation has come to: bodies of all its devices, applied to the messages that they are about.

What the own account does is applied when the server has given it its place in the order of the conversation (until then
`client.conversations` shows it from what waits to be sent), so all devices come to the same, in whatever order they
learn of things: of two edits, reactions of one account or timers, the later one in that order counts.
"""

import json

from client.messaging import attachment_rows, evidence, polls
from client.messaging.body import Body
from client.messaging.changes import Change, GroupChanged, MessageChanged, TimerChanged
from client.messaging.contents import Deletion, Edit, Reaction, Receipt, Rename, Text, Timer, Vote
from client.storage import Database
from crypto.sessions import DeviceAddress

EDIT_MS = DELETE_MS = 86_400_000
"""How long after a message was sent its author can edit it, or delete it for everybody: both times are the server's,
which could stretch that, so it is no protection against it."""
MAX_RECEIPTS_MEMBERS = 20
"""In larger groups nobody sends receipts: there would be as many for each message."""


class Timeline:
    """Callers hold the transaction."""

    def __init__(self, database: Database, own: str) -> None:
        """`own`: the own account."""
        self._database = database
        self._own = own

    def written(self, conversation_id: str, sender: DeviceAddress, body: Body, now: int) -> int | None:
        """This device wants to send a body. Returns the number of the message if it is one."""
        self._database.execute("update conversations set accepted = 1 where id = ?", conversation_id)
        if not isinstance(body.content, Text):
            return None
        return self._add(conversation_id, sender, body.id, body.content, None, None, now)

    def apply(
        self, conversation_id: str, sender: DeviceAddress, body: Body, seq: int, sent_at: int, now: int
    ) -> list[Change]:
        """A body has its place in the conversation. A second time changes nothing."""
        database, user, content = self._database, sender.user, body.content
        if user == self._own and not isinstance(content, Receipt):
            database.execute("update conversations set accepted = 1 where id = ?", conversation_id)
        numbers: list[tuple[int]] = []
        match content:
            case Text(again=int(again)):
                return self._again(conversation_id, sender, body.id, content, again, now)
            case Text():
                number = self._add(conversation_id, sender, body.id, content, seq, sent_at, now)
                numbers = [] if number is None else [(number,)]
            case Receipt():
                return self._receipt(conversation_id, user, content, sent_at)
            case Reaction(author, id, emoji):
                numbers = database.rows(
                    "insert into reactions (number, account_id, emoji, seq) select number, ?, ?, ? from messages"
                    " where conversation_id = ? and account_id = ? and message_id = ? and not deleted"
                    " on conflict (number, account_id) do update set emoji = excluded.emoji, seq = excluded.seq"
                    " where excluded.seq > seq returning number",
                    *(user, emoji, seq, conversation_id, author, id),
                )
            case Vote():
                numbers = polls.vote(database, conversation_id, user, content, seq)
            case Edit(id, text):
                numbers = database.rows(
                    "update messages set text = ?, edit_seq = ? where conversation_id = ? and account_id = ?"
                    " and message_id = ? and text is not null and ? - sent_at between 0 and ?"
                    " and coalesce(edit_seq, 0) < ? returning number",
                    *(text, seq, conversation_id, user, id, sent_at, EDIT_MS, seq),
                )
            case Deletion(id):
                numbers = database.rows(
                    "update messages set text = null, quote = null, deleted = 1, edit_seq = null"
                    " where conversation_id = ? and account_id = ? and message_id = ? and not deleted"
                    " and ? - sent_at between 0 and ? returning number",
                    *(conversation_id, user, id, sent_at, DELETE_MS),
                )
                for (number,) in numbers:
                    database.execute("delete from reactions where number = ?", number)
                    attachment_rows.delete(database, number, own=user == self._own)
                    polls.delete(database, number)
                    evidence.delete(database, number)
            case Timer(expires_in_s):
                changed = database.execute(
                    "update conversations set expires_in_s = ?, timer_seq = ? where id = ? and timer_seq < ?",
                    *(expires_in_s, seq, conversation_id, seq),
                )
                return [TimerChanged(conversation_id, user, expires_in_s)] if changed else []
            case Rename(name, since):
                said = seq if since is None else min(since, seq)
                newest = database.execute(
                    "update groups set name_seq = max(name_seq, ?) where id = ? and (name_seq < ?"
                    " or exists (select 1 from conversations as c where c.id = groups.id and c.username is null))",
                    *(said, conversation_id, said if since is None else said + 1),
                )
                changed = newest and database.execute(
                    "update conversations set username = ? where id = ? and username is not ?",
                    *(name, conversation_id, name),
                )
                return [GroupChanged(conversation_id, user)] if changed else []
        return [MessageChanged(number) for (number,) in numbers]

    def problem(
        self, conversation_id: str, sender: DeviceAddress, seq: int, sent_at: int, now: int, code: str
    ) -> list[Change]:
        """Something that cannot be read has its place in the conversation."""
        rows = self._database.rows(
            "insert into messages"
            " (conversation_id, account_id, device, message_id, seq, sent_at, written_at, problem, receipt)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, 2) on conflict do nothing returning number",
            *(conversation_id, *sender, _problem_id(conversation_id, seq), seq, sent_at, now, code),
        )
        return [MessageChanged(number) for (number,) in rows]

    def ends_with(self, conversation_id: str, code: str) -> bool:
        """Whether the newest message of a conversation is this problem."""
        rows = self._database.rows(
            "select problem from messages where conversation_id = ? and seq is not null order by seq desc limit 1",
            conversation_id,
        )
        return rows == [(code,)]

    def refused(self, sender: DeviceAddress, message_id: str, code: str) -> int | None:
        """The server will never take a message of this device. Returns its number; None if it was taken
        before, and only not once more."""
        rows = self._database.rows(
            "update messages set problem = ? where account_id = ? and device = ? and message_id = ? and seq is null"
            " returning number",
            *(code, *sender, message_id),
        )
        return rows[0][0] if rows else None

    def read(self, conversation_id: str, now: int) -> None:
        """The user has seen all messages of a conversation."""
        ((newest,),) = self._database.rows(
            "select coalesce(max(number), 0) from messages where conversation_id = ?", conversation_id
        )
        self._database.execute(
            "update conversations set read = ? where id = ? and read < ?", newest, conversation_id, newest
        )
        self._database.execute(
            "update messages set expires_at = ? + 1000 * expires_in_s"
            " where conversation_id = ? and account_id != ? and expires_in_s is not null and expires_at is null",
            *(now, conversation_id, self._own),
        )

    def expire(self, now: int) -> list[Change]:
        """Deletes the messages that have to disappear."""
        if self.next_expiry() is None:
            return []
        rows = self._database.rows("delete from messages where expires_at <= ? returning number", now)
        return [MessageChanged(number) for (number,) in rows]

    def next_expiry(self) -> int | None:
        """When the next message has to disappear."""
        ((at,),) = self._database.rows("select min(expires_at) from messages where expires_at is not null")
        return None if at is None else int(at)

    def _add(
        self,
        conversation_id: str,
        sender: DeviceAddress,
        message_id: str,
        text: Text,
        seq: int | None,
        sent_at: int | None,
        now: int,
    ) -> int | None:
        """Returns the number of a message that is new, or new at the server; None of one that was there."""
        own = sender.user == self._own
        quote = text.quote
        expires_at = None
        if own and sent_at is not None and text.expires_in_s is not None:
            expires_at = sent_at + 1000 * text.expires_in_s
        rows = self._database.rows(
            "insert into messages (conversation_id, account_id, device, message_id, seq, sent_at, written_at, text,"
            " quote, expires_in_s, expires_at, receipt) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, iif(? or"
            " (select count(*) from group_members where group_id = ?) > ?, 2, 0))"
            " on conflict (account_id, device, message_id) do update"
            " set seq = excluded.seq, sent_at = excluded.sent_at, expires_at = excluded.expires_at"
            " where seq is null and problem is null returning number",
            *(conversation_id, *sender, message_id, seq, sent_at, now, text.text),
            None if quote is None else json.dumps([quote.account_id, quote.id, quote.text]),
            *(text.expires_in_s, expires_at, own, conversation_id, MAX_RECEIPTS_MEMBERS),
        )
        if not rows:
            return None
        number: int = rows[0][0]
        attachment_rows.add(self._database, number, text.attachments)
        if text.poll is not None:
            polls.add(self._database, number, text.poll)
        return number

    def _again(
        self, conversation_id: str, sender: DeviceAddress, message_id: str, text: Text, seq: int, now: int
    ) -> list[Change]:
        """A message that this device could not decrypt takes its place. Others have it, or do not want it back."""
        rows = self._database.rows(
            "delete from messages where conversation_id = ? and account_id = ? and device = ? and message_id = ?"
            " and problem is not null returning number, sent_at",
            *(conversation_id, *sender, _problem_id(conversation_id, seq)),
        )
        changes: list[Change] = []
        for former, sent_at in rows:
            number = self._add(conversation_id, sender, message_id, text, seq, sent_at, now)
            changes += [MessageChanged(former if number is None else number)]
        return changes

    def _receipt(self, conversation_id: str, user: str, receipt: Receipt, sent_at: int) -> list[Change]:
        rows = self._database.rows(
            "select number, account_id, expires_in_s from messages where conversation_id = ? and account_id != ?"
            " and message_id in (select value from json_each(?))",
            *(conversation_id, user, json.dumps(receipt.ids)),
        )
        for number, author, expires_in_s in rows:
            if user != self._own and author == self._own:
                self._database.execute(
                    "insert into receipts (number, account_id, read) values (?, ?, ?)"
                    " on conflict (number, account_id) do update set read = max(read, excluded.read)",
                    *(number, user, receipt.read),
                )
            elif user == self._own:  # another device of this account has told the author already
                expires_at = sent_at + 1000 * expires_in_s if receipt.read and expires_in_s is not None else None
                self._database.execute(
                    "update messages set receipt = max(receipt, ?), expires_at = coalesce(expires_at, ?)"
                    " where number = ?",
                    *(2 if receipt.read else 1, expires_at, number),
                )
                if receipt.read:
                    self._database.execute(
                        "update conversations set read = max(read, ?) where id = ?", number, conversation_id
                    )
        return [MessageChanged(number) for number, _, _ in rows]


def _problem_id(conversation_id: str, seq: int) -> str:
    """Stands for the id of a message that cannot be read: ids are unique for each device in all conversations."""
    return f"{conversation_id} {seq}"
