"""What comes for groups: stored as it came, in its order, until it is processed."""

from collections.abc import Iterable
from typing import Any

from client.messaging.groups.requests import GroupItem
from client.messaging.groups.states import GroupState, GroupStates
from client.storage import Database
from crypto.sessions import DeviceAddress

_COLUMNS = "group_id, content, epoch, seq, account_id, device, sent_at, message, delivery_tag"


class GroupIncoming:
    """Callers hold the transaction."""

    def __init__(self, database: Database, states: GroupStates) -> None:
        self._database = database
        self._states = states

    def store(self, items: Iterable[GroupItem], *, pushed: bool = False) -> bool:
        """Stores what is new, in the order in which it comes. Returns whether something before a pushed item is
        missing: then it is not stored, and the inbox has to be fetched."""
        missing = False
        for item in items:
            received = self._received(item.group_id)
            if received is None or item.seq <= received:
                continue
            if pushed and not 0 < item.previous <= received:
                missing = True
                continue
            account_id, device = item.sender or (None, None)
            self._database.execute(
                f"insert into group_incoming ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(item.group_id, item.content, item.epoch, item.seq, account_id, device, item.sent_at, item.message),
                item.delivery_tag,
            )
            self._database.execute("update conversations set received = ? where id = ?", item.seq, item.group_id)
        return missing

    def _received(self, group_id: str) -> int | None:
        """The newest number in a group; None if there is a conversation with somebody under its id."""
        rows = self._database.rows("select peer, received from conversations where id = ?", group_id)
        if rows and rows[0][0] != group_id:
            return None
        if self._states.find(group_id) is None:  # another device may have told of it
            self._states.add(group_id, GroupState.JOINING)
        return int(rows[0][1]) if rows else 0

    def waiting(self) -> list[str]:
        """The groups that something waits for."""
        return [id for (id,) in self._database.rows("select distinct group_id from group_incoming order by group_id")]

    def first(self, group_id: str, limit: int) -> list[GroupItem]:
        """What waits for a group, oldest first."""
        rows = self._database.rows(
            f"select {_COLUMNS} from group_incoming where group_id = ? order by seq limit ?", group_id, limit
        )
        return [_item(row) for row in rows]

    def drop_before_welcome(self, group_id: str) -> None:
        """This device is not in the group: only what came after its newest Welcome, if there is one, can be read."""
        self._database.execute(
            "delete from group_incoming where group_id = ? and seq <"
            " (select max(seq) from group_incoming where group_id = ? and content = 'welcome')",
            *(group_id, group_id),
        )

    def has_welcome(self, group_id: str) -> bool:
        """Whether a Welcome waits."""
        rows = self._database.rows(
            "select 1 from group_incoming where group_id = ? and content = 'welcome' limit 1", group_id
        )
        return bool(rows)

    def drop(self, item: GroupItem) -> None:
        """It is processed, or never will be."""
        self._database.execute("delete from group_incoming where group_id = ? and seq = ?", item.group_id, item.seq)

    def without_message(self) -> list[tuple[str, int]]:
        """What is to be read by itself: (group, number)."""
        return self._database.rows(
            "select group_id, seq from group_incoming where message is null and content != 'welcome'"
        )

    def found(self, group_id: str, seq: int, message: bytes) -> None:
        """A message was read by itself."""
        self._database.execute(
            "update group_incoming set message = ? where group_id = ? and seq = ?", message, group_id, seq
        )

    def not_found(self, group_id: str, seq: int) -> None:
        """It is not there any more: the group has to be joined anew if it was a commit, which the next epoch shows."""
        self._database.execute("delete from group_incoming where group_id = ? and seq = ?", group_id, seq)


def _item(row: tuple[Any, ...]) -> GroupItem:
    group_id, content, epoch, seq, account_id, device, sent_at, message, delivery_tag = row
    sender = None if account_id is None else DeviceAddress(account_id, device)
    return GroupItem(group_id, content, epoch, seq, 0, sender, sent_at, message, delivery_tag)
