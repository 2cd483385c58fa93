"""SQL of devices and of the versions of their account's keys."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from crypto.directory import AccountKeys
from features.accounts.queries import active
from features.devices.model import Device, LockedRoster, Roster
from features.relationships.visibility import apart, connected

_COLUMNS = "number, identity_key, session_id, registered_at"

_LOCK = """
insert into device_rosters (account_id, last_number) values ($1, 0)
on conflict (account_id) do update set account_id = excluded.account_id
returning last_number, keys,
    (select count(*) from device_key_versions as v where v.account_id = $1 and v.submitted_at > $2) as changes
"""
_OF_ACCOUNT = f"select {_COLUMNS} from devices where account_id = $1 order by number"


async def lock(uow: UnitOfWork, account_id: UUID, since: datetime) -> LockedRoster:
    """Locks the devices of an account against other changes until the unit of work ends. Returns them, and how often
    they have changed since then."""
    row = await uow.fetchrow(_LOCK, account_id, since)
    assert row is not None
    devices = tuple(_device(each) for each in await uow.fetch(_OF_ACCOUNT, account_id))
    return LockedRoster(Roster(devices, _keys(row["keys"]), row["last_number"]), row["changes"])


_ROSTER = """
select last_number, keys, number, identity_key, session_id, registered_at
from device_rosters left join devices using (account_id) where account_id = $1 order by number
"""


async def roster(uow: UnitOfWork, account_id: UUID) -> Roster:
    """Returns the devices of an account. One statement."""
    rows = await uow.fetch(_ROSTER, account_id)
    if not rows:
        return Roster((), None, 0)
    devices = tuple(_device(row) for row in rows if row["number"] is not None)
    return Roster(devices, _keys(rows[0]["keys"]), rows[0]["last_number"])


_CHANGE = """
with roster as (
    update device_rosters set last_number = greatest(last_number, $2::int), keys = $4 where account_id = $1
)
insert into device_key_versions (account_id, number, keys, submitted_at) values ($1, $3, $4, $5)
"""


async def change(uow: UnitOfWork, account_id: UUID, number: int, keys: AccountKeys, now: datetime) -> None:
    """Writes the version of the account's keys in which the device of this number came or went."""
    await uow.execute(_CHANGE, account_id, number, keys.number, keys.encode(), now)


_INSERT = f"insert into devices (account_id, {_COLUMNS}) values ($1, $2, $3, $4, $5)"


async def insert(uow: UnitOfWork, account_id: UUID, device: Device) -> None:
    """Inserts a device of an account whose devices are locked."""
    await uow.execute(_INSERT, account_id, device.number, device.identity_key, device.session_id, device.registered_at)


async def delete(uow: UnitOfWork, account_id: UUID, number: int) -> None:
    """Deletes a device."""
    await uow.execute("delete from devices where account_id = $1 and number = $2", account_id, number)


async def bind(uow: UnitOfWork, account_id: UUID, number: int, session_id: UUID) -> None:
    """Makes a session the one that acts for a device. It acts for no other."""
    sql = "update devices set session_id = $3 where account_id = $1 and number = $2"
    await uow.execute(sql, account_id, number, session_id)


async def find(uow: UnitOfWork, account_id: UUID, number: int) -> Device | None:
    """Returns one of an account's devices."""
    row = await uow.fetchrow(
        f"select {_COLUMNS} from devices where account_id = $1 and number = $2", account_id, number
    )
    return _device(row) if row else None


_OF_SESSION = f"select {_COLUMNS} from devices where account_id = $1 and session_id = $2"


async def of_session(uow: UnitOfWork, account_id: UUID, session_id: UUID) -> Device | None:
    """Returns the device that a session of the account acts for."""
    row = await uow.fetchrow(_OF_SESSION, account_id, session_id)
    return _device(row) if row else None


_OF_ACCOUNTS = f"""
select account_id, {_COLUMNS} from devices where account_id = any($1::uuid[]) order by account_id, number
"""


async def of_accounts(uow: UnitOfWork, account_ids: Collection[UUID]) -> dict[UUID, list[Device]]:
    """Returns the devices of each account, in the order of their numbers. One statement."""
    found: dict[UUID, list[Device]] = {account_id: [] for account_id in account_ids}
    for row in await uow.fetch(_OF_ACCOUNTS, list(account_ids)):
        found[row["account_id"]].append(_device(row))
    return found


_ASKED = f"""
select asked.id, {connected("$2::uuid", "asked.id")} as connected from unnest($1::uuid[]) as asked (id)
where {active("asked.id")} and not {apart("asked.id", "$2::uuid")}
"""


async def asked(uow: UnitOfWork, asker: UUID, account_ids: Collection[UUID]) -> dict[UUID, bool]:
    """Returns those accounts that are not apart from the asker, each with whether it is the asker itself or has chosen
    the connection to the asker (a friend, a follower). One statement."""
    rows = await uow.fetch(_ASKED, list(account_ids), asker)
    return {row["id"]: row["connected"] or row["id"] == asker for row in rows}


def _device(row: Any) -> Device:
    return Device(row["number"], row["identity_key"], row["session_id"], row["registered_at"])


def _keys(encoded: bytes | None) -> AccountKeys | None:
    return None if encoded is None else AccountKeys.decode(encoded)
