"""Receipts of this device: what authors are owed, batched. Nobody owes one for a receipt, nor to somebody whose request
the user has not answered: to send anything accepts it.
"""

from collections.abc import Iterator

from client.messaging.body import MAX_RECEIPTS
from client.messaging.contents import Receipt
from client.storage import Database

DELAY_MS = 1_000
"""How long receipts are gathered."""
_SEEN = "(m.number <= c.read and m.account_id not in (select account_id from blocked))"
"""What people who are blocked say in groups is not shown."""


class Receipts:
    """Callers hold the transaction. `reads`: whether authors are told that their messages were read."""

    def __init__(self, database: Database, own: str) -> None:
        self.reads = True
        self._database = database
        self._own = own
        self._since: dict[str, int] = {}

    def owed(self, now: int) -> list[tuple[str, Receipt]]:
        """Receipts to be sent now, by conversation; one at a time. They count as sent."""
        found = []
        waiting = self._waiting()
        self._since = {each: self._since.get(each, now) for each in waiting}
        for conversation_id, since in self._since.items():
            if now - since >= DELAY_MS:
                found += [(conversation_id, receipt) for receipt in self._take(conversation_id)]
        return found

    def next_at(self) -> int | None:
        """When the next receipts are to be sent."""
        return min((since + DELAY_MS for since in self._since.values()), default=None)

    def read(self, conversation_id: str) -> None:
        """The user has read a conversation. If nobody is to know, nobody is told later, either."""
        if not self.reads:
            self._database.execute(
                "update messages set receipt = 2 where conversation_id = ? and receipt = 1 and number <="
                " (select read from conversations where id = conversation_id)",
                conversation_id,
            )

    def _waiting(self) -> list[str]:
        rows = self._database.rows(
            "select distinct m.conversation_id from messages as m join conversations as c on c.id = m.conversation_id"
            f" where m.receipt < 2 and c.accepted and (m.receipt = 0 or (? and {_SEEN}))",
            self.reads,
        )
        return [conversation_id for (conversation_id,) in rows]

    def _take(self, conversation_id: str) -> Iterator[Receipt]:
        rows = self._database.rows(
            f"select m.number, m.message_id, {_SEEN} as seen from messages as m"
            " join conversations as c on c.id = m.conversation_id where m.conversation_id = ? and m.receipt < 2"
            f" and (m.receipt = 0 or (? and {_SEEN})) order by m.number limit ?",
            *(conversation_id, self.reads, MAX_RECEIPTS),
        )
        told: dict[bool, list[str]] = {True: [], False: []}
        for number, message_id, seen in rows:
            told[bool(seen) and self.reads].append(message_id)
            self._database.execute("update messages set receipt = ? where number = ?", 2 if seen else 1, number)
        for read, ids in told.items():
            if ids:
                yield Receipt(tuple(ids), read)
