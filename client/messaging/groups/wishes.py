"""What a user wants of a group, stored until a commit that does it was accepted: late ones are made anew."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from client.storage import Database
from crypto.mls import Role
from crypto.sessions import DeviceAddress


@dataclass(frozen=True, slots=True)
class AddPeople:
    """All devices of these accounts come in."""

    account_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemovePeople:
    """All devices of these accounts go."""

    account_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveDevices:
    """Devices go that their account has removed."""

    addresses: tuple[DeviceAddress, ...]


@dataclass(frozen=True, slots=True)
class SetRole:
    account_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Leave:
    """All devices of the own account go: another member has to commit that."""


Wish = AddPeople | RemovePeople | RemoveDevices | SetRole | Leave


@dataclass(frozen=True, slots=True)
class StoredWish:
    """`packages`: KeyPackages that were claimed for it; None if none were yet."""

    number: int
    wish: Wish
    packages: tuple[bytes, ...] | None = field(repr=False)


class Wishes:
    """Callers hold the transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, group_id: str, wish: Wish) -> None:
        """Adds what is wanted after what was wanted before."""
        self._database.execute(
            "insert into group_wishes (group_id, wish) values (?, ?)", group_id, json.dumps(_members(wish))
        )

    def first(self, group_id: str) -> StoredWish | None:
        """What is to be done next. To leave waits for others, and holds up nothing."""
        rows = self._database.rows(
            "select number, wish, packages from group_wishes where group_id = ?"
            " order by json_extract(wish, '$.kind') = 'leave', number limit 1",
            group_id,
        )
        if not rows:
            return None
        number, wish, packages = rows[0]
        claimed = None if packages is None else tuple(map(base64.b64decode, json.loads(packages)))
        return StoredWish(number, _wish(json.loads(wish)), claimed)

    def narrow(self, number: int, wish: Wish) -> None:
        """Less is wanted."""
        self._database.execute("update group_wishes set wish = ? where number = ?", json.dumps(_members(wish)), number)

    def claimed(self, number: int, packages: Iterable[bytes]) -> None:
        """These KeyPackages were claimed."""
        encoded = json.dumps([base64.b64encode(each).decode() for each in packages])
        self._database.execute("update group_wishes set packages = ? where number = ?", encoded, number)

    def done(self, number: int) -> None:
        """The group is as it was wanted, or never will be."""
        self._database.execute("delete from group_wishes where number = ?", number)

    def leaving(self, group_id: str) -> bool:
        """Whether the user wants to leave."""
        rows = self._database.rows(
            "select 1 from group_wishes where group_id = ? and json_extract(wish, '$.kind') = 'leave'", group_id
        )
        return bool(rows)


def _members(wish: Wish) -> dict[str, object]:
    match wish:
        case AddPeople(account_ids):
            return {"kind": "add", "accounts": account_ids}
        case RemovePeople(account_ids):
            return {"kind": "remove", "accounts": account_ids}
        case RemoveDevices(addresses):
            return {"kind": "remove devices", "devices": addresses}
        case SetRole(account_id, role):
            return {"kind": "role", "account": account_id, "role": int(role)}
        case Leave():
            return {"kind": "leave"}


def _wish(members: dict[str, object]) -> Wish:
    """Raises ValueError."""
    match members:
        case {"kind": "add", "accounts": list(account_ids)}:
            return AddPeople(tuple(account_ids))
        case {"kind": "remove", "accounts": list(account_ids)}:
            return RemovePeople(tuple(account_ids))
        case {"kind": "remove devices", "devices": list(devices)}:
            return RemoveDevices(tuple(DeviceAddress(*each) for each in devices))
        case {"kind": "role", "account": str(account_id), "role": int(role)}:
            return SetRole(account_id, Role(role))
        case {"kind": "leave"}:
            return Leave()
    raise ValueError("no wish")
