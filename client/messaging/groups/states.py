"""What is stored of groups: this member's state in each, and who is in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from client.messaging.groups.believed import address_of
from client.storage import Database
from crypto.mls import Group, GroupPolicy, Role, Roles
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress


class GroupState(StrEnum):
    FOUNDING = "founding"
    """The server does not have it yet."""
    ACTIVE = "active"
    JOINING = "joining"
    """This device has to join by itself: it never was in the group, or has lost track of it."""
    LEFT = "left"
    """The account is not in it any more."""


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """`epoch`: of this device's state. `told_epoch`: in which the server says that the group is, at least."""

    id: str
    state: GroupState
    epoch: int
    told_epoch: int


class GroupStates:
    """Callers hold the transaction; if it fails they have to call `forget`, since groups are kept in memory."""

    def __init__(self, database: Database, own: DeviceAddress, policy: GroupPolicy, randomness: Randomness) -> None:
        self._database = database
        self._own = own
        self._policy = policy
        self._randomness = randomness
        self._open: dict[str, Group] = {}

    def find(self, group_id: str) -> StoredGroup | None:
        rows = self._database.rows("select id, state, epoch, told_epoch from groups where id = ?", group_id)
        return _stored(rows[0]) if rows else None

    def all(self, *states: GroupState) -> list[StoredGroup]:
        """The groups in one of these states."""
        rows = self._database.rows("select id, state, epoch, told_epoch from groups order by id")
        return [found for found in map(_stored, rows) if found.state in states]

    def busy(self) -> list[StoredGroup]:
        """The groups in which something is to be done. Those where nothing is stay on disk."""
        rows = self._database.rows(
            "select id, state, epoch, told_epoch from groups as g where state in (?, ?) or (state = ? and ("
            "told_epoch > epoch or exists (select 1 from group_wishes where group_id = g.id)"
            " or exists (select 1 from group_submissions where group_id = g.id)"
            " or exists (select 1 from group_parts where group_id = g.id and name between 'proposal/' and 'proposal0')"
            ")) order by id",
            *(GroupState.FOUNDING, GroupState.JOINING, GroupState.ACTIVE),
        )
        return list(map(_stored, rows))

    def add(self, group_id: str, state: GroupState) -> None:
        """Makes a group known, or sets the state of one that is."""
        self._database.execute(
            "insert into conversations (id, peer) values (?, ?) on conflict (id) do nothing", group_id, group_id
        )
        self._database.execute(
            "insert into groups (id, state) values (?, ?) on conflict (id) do update set state = excluded.state",
            *(group_id, state),
        )

    def told(self, group_id: str, epoch: int) -> None:
        """The server says that the group is in this epoch."""
        self._database.execute("update groups set told_epoch = max(told_epoch, ?) where id = ?", epoch, group_id)

    def open(self, group_id: str) -> Group:
        """This member's view of an active or founded group. What changes it has to be written."""
        group = self._open.get(group_id)
        if group is None:
            rows = self._database.rows("select name, data from group_parts where group_id = ?", group_id)
            group = Group.restore_parts(dict(rows), self._randomness, self._policy)
            self._open[group_id] = group
        return group

    def write(self, group_id: str, group: Group) -> None:
        """Writes what has changed. An active group that this device was removed from is left."""
        changes = group.changes()
        for name in changes.delete:
            self._database.execute("delete from group_parts where group_id = ? and name = ?", group_id, name)
        for name, data in changes.put.items():
            self._database.execute(
                "insert or replace into group_parts (group_id, name, data) values (?, ?, ?)", group_id, name, data
            )
        self._database.execute("update groups set epoch = ? where id = ?", group.epoch, group_id)
        self._open[group_id] = group

    def replace(self, group_id: str, group: Group, state: GroupState) -> tuple[set[str], set[str]]:
        """Writes a group that this device has founded or joined, in place of whatever was there. Returns the accounts
        that have come and gone."""
        self.add(group_id, state)
        self._database.execute("delete from group_parts where group_id = ?", group_id)
        self.write(group_id, group)
        self._database.execute("update groups set told_epoch = epoch where id = ?", group_id)
        return self.write_members(group_id, group)

    def write_members(self, group_id: str, group: Group) -> tuple[set[str], set[str]]:
        """Writes who is in a group, in which roles. Returns the accounts that have come and gone."""
        roles = Roles.of(group.extensions)
        members = {account: roles.of_account(account.encode()) for account in accounts_of(group)}
        rows = self._database.rows("select account_id, role from group_members where group_id = ?", group_id)
        before = {account: Role(role) for account, role in rows}
        for account in before.keys() - members.keys():
            self._database.execute("delete from group_members where group_id = ? and account_id = ?", group_id, account)
        for account, role in members.items():
            if before.get(account) is not role:
                self._database.execute(
                    "insert or replace into group_members (group_id, account_id, role) values (?, ?, ?)",
                    *(group_id, account, int(role)),
                )
        return members.keys() - before.keys(), before.keys() - members.keys()

    def leave(self, group_id: str) -> None:
        """The account is out of a group: its secrets are deleted, and what was wanted of it is not wanted any more. A
        Welcome that lets it in again may be among what waits."""
        for table in ("group_parts", "group_members", "group_wishes", "group_submissions"):
            self._database.execute(f"delete from {table} where group_id = ?", group_id)
        self._database.execute("update groups set state = ? where id = ?", GroupState.LEFT, group_id)
        self._open.pop(group_id, None)

    def forget(self) -> None:
        """A transaction has failed: groups are read from the database again."""
        self._open.clear()

    def members(self, group_id: str) -> set[str]:
        """The accounts that were in a group when this device last followed it; none if it never did, or has left."""
        rows = self._database.rows("select account_id from group_members where group_id = ?", group_id)
        return {account_id for (account_id,) in rows}

    def role(self, group_id: str, account_id: str) -> Role | None:
        """The role of an account in a group, None if it is not there."""
        rows = self._database.rows(
            "select role from group_members where group_id = ? and account_id = ?", group_id, account_id
        )
        return Role(rows[0][0]) if rows else None


def _stored(row: Iterable[object]) -> StoredGroup:
    id, state, epoch, told_epoch = row
    return StoredGroup(str(id), GroupState(str(state)), int(str(epoch)), int(str(told_epoch)))


def leaves_of(group: Group) -> dict[DeviceAddress, int]:
    """The leaf of each device in a group."""
    return {address_of(member.credential): member.leaf_index for member in group.members}


def accounts_of(group: Group) -> set[str]:
    """The accounts with a device in a group."""
    return {address.user for address in leaves_of(group)}
