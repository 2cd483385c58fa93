"""SQL of attachments. Their bytes are in object storage."""

from datetime import datetime
from uuid import UUID

from asyncpg import Record

from cluster.postgres import UnitOfWork
from features.attachments.model import Attachment, Usage

_COLUMNS = "id, account_id, size, received, expires_at"

_USAGE = """
select coalesce(sum(size), 0)::bigint as bytes, count(*) as number from attachments
where account_id = $1 and expires_at > $2
"""


async def usage(uow: UnitOfWork, account_id: UUID, now: datetime) -> Usage:
    """Returns what an account's attachments take."""
    row = await uow.fetchrow(_USAGE, account_id, now)
    assert row is not None
    return Usage(row["bytes"], row["number"])


_INSERT = f"""
insert into attachments ({_COLUMNS}) values ($1, $2, $3, $4, $5)
"""


async def insert(uow: UnitOfWork, attachment: Attachment) -> None:
    """Inserts an attachment."""
    values = (attachment.id, attachment.account_id, attachment.size, attachment.received, attachment.expires_at)
    await uow.execute(_INSERT, *values)


_FIND = f"select {_COLUMNS} from attachments where id = $1 and expires_at > $2"


async def find(uow: UnitOfWork, attachment_id: UUID, now: datetime) -> Attachment | None:
    """Returns an attachment that has not expired."""
    row = await uow.fetchrow(_FIND, attachment_id, now)
    return _attachment(row) if row else None


_ADVANCE = f"""
update attachments set received = $3, expires_at = $4 where id = $1 and received = $2 and expires_at > $5
returning {_COLUMNS}
"""


async def advance(
    uow: UnitOfWork, attachment: Attachment, received: int, expires_at: datetime, now: datetime
) -> Attachment | None:
    """Notes that so many bytes have arrived. Returns None if another request has, or if it is gone."""
    row = await uow.fetchrow(_ADVANCE, attachment.id, attachment.received, received, expires_at, now)
    return _attachment(row) if row else None


_DELETE = f"delete from attachments where id = $1 and account_id = $2 returning {_COLUMNS}"


async def delete(uow: UnitOfWork, attachment_id: UUID, account_id: UUID) -> Attachment | None:
    """Deletes an attachment of an account. Returns it."""
    row = await uow.fetchrow(_DELETE, attachment_id, account_id)
    return _attachment(row) if row else None


_DELETE_SOME = f"""
delete from attachments where ctid = any(array(
    select ctid from attachments where account_id = $1 limit $2 for update
)) returning {_COLUMNS}
"""


async def delete_some(uow: UnitOfWork, account_id: UUID, limit: int) -> list[Attachment]:
    """Deletes up to `limit` attachments of an account. Returns them."""
    return [_attachment(row) for row in await uow.fetch(_DELETE_SOME, account_id, limit)]


def _attachment(row: Record) -> Attachment:
    return Attachment(**row)
