"""SQL of links to devices."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.model import DeviceLink

_COLUMNS = "id, session_id, identity_key, ephemeral_key, created_at, expires_at, number, sealed_box"

_INSERT = """
insert into device_links (account_id, id, session_id, identity_key, ephemeral_key, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (account_id, session_id) do update set id = excluded.id, identity_key = excluded.identity_key,
    ephemeral_key = excluded.ephemeral_key, created_at = excluded.created_at, expires_at = excluded.expires_at,
    number = null, sealed_box = null
"""


async def insert(uow: UnitOfWork, account_id: UUID, link: DeviceLink) -> None:
    """Inserts a link; it replaces another one of its session."""
    keys = (link.identity_key, link.ephemeral_key)
    await uow.execute(_INSERT, account_id, link.id, link.session_id, *keys, link.created_at, link.expires_at)


_OF_ACCOUNT = f"""
select {_COLUMNS} from device_links where account_id = $1 and expires_at > $2 order by created_at, id
"""


async def of_account(uow: UnitOfWork, account_id: UUID, now: datetime) -> list[DeviceLink]:
    """Returns the links of an account that have not expired, oldest first."""
    return [_link(row) for row in await uow.fetch(_OF_ACCOUNT, account_id, now)]


_FIND = f"select {_COLUMNS} from device_links where account_id = $1 and id = $2 and expires_at > $3"


async def find(uow: UnitOfWork, account_id: UUID, link_id: UUID, now: datetime) -> DeviceLink | None:
    """Returns a link of an account, if it has not expired."""
    row = await uow.fetchrow(_FIND, account_id, link_id, now)
    return _link(row) if row else None


_APPROVE = "update device_links set number = $3, sealed_box = $4 where account_id = $1 and id = $2"


async def approve(uow: UnitOfWork, account_id: UUID, link_id: UUID, number: int, sealed_box: bytes) -> None:
    """Writes that the device of a link has got a number."""
    await uow.execute(_APPROVE, account_id, link_id, number, sealed_box)


async def delete(uow: UnitOfWork, account_id: UUID, link_id: UUID) -> bool:
    """Deletes a link. Returns False if the account has no such link."""
    sql = "delete from device_links where account_id = $1 and id = $2"
    return await uow.execute(sql, account_id, link_id) == "DELETE 1"


def _link(row: Any) -> DeviceLink:
    return DeviceLink(**row)
