"""SQL of reports of messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import stays
from features.delivery_tags import Delivered
from features.message_reports.model import Evidence, MessageReport, ReportReason
from features.microseconds import microseconds_of

if TYPE_CHECKING:
    from asyncpg import Record as Row


class Reported(NamedTuple):
    """How many messages somebody has reported, and when the first of them."""

    messages: int
    first: datetime | None


_AFTER_ALL = UUID(int=2**128 - 1)

# The lock: an account that is being erased is either gone already, or its erasure finds the reports.
_INSERT = f"""
insert into message_reports (id, reporter_account_id, sender_account_id, conversation_id, sent_at, reason, reported_at,
    commitment, opening, content, delivery_tag)
select new.id, $1, new.sender_account_id, new.conversation_id, new.sent_at, $2, $3, new.commitment, new.opening,
    new.content, new.delivery_tag
from unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::timestamptz[], $8::bytea[], $9::bytea[], $10::bytea[],
    $11::bytea[]) as new (id, sender_account_id, conversation_id, sent_at, commitment, opening, content, delivery_tag)
where {stays("new.sender_account_id")}
on conflict (reporter_account_id, conversation_id, commitment) do nothing
"""
_OF_MESSAGES = """
select report.* from unnest($2::uuid[], $3::bytea[]) as asked (conversation_id, commitment)
join message_reports as report on report.reporter_account_id = $1
    and report.conversation_id = asked.conversation_id and report.commitment = asked.commitment
"""
_SINCE = """
select count(*) as reports, min(reported_at) as first from message_reports
where reporter_account_id = $1 and reported_at > $2
"""
_LIST = "select * from message_reports where id < $1 order by id desc limit $2"
_FIND = "select * from message_reports where id = $1"


async def insert(uow: UnitOfWork, reports: Sequence[MessageReport]) -> bool:
    """Inserts reports of one account, reason and time, but for messages that it has reported before, and for senders
    who are gone. Returns whether there was a new one."""
    first = reports[0]
    rows = [
        (
            report.id,
            report.evidence.delivered.sender_id,
            report.evidence.delivered.conversation_id,
            report.sent_at,
            report.evidence.commitment,
            report.evidence.opening,
            report.evidence.content,
            report.evidence.delivery_tag,
        )
        for report in reports
    ]
    shared = first.reporter_id, first.reason.value, first.reported_at
    return await uow.execute(_INSERT, *shared, *zip(*rows, strict=True)) != "INSERT 0 0"


async def of_messages(uow: UnitOfWork, reporter_id: UUID, messages: Sequence[Evidence]) -> list[MessageReport]:
    """Returns an account's reports of these messages."""
    conversations = [each.delivered.conversation_id for each in messages]
    commitments = [each.commitment for each in messages]
    return [_report(row) for row in await uow.fetch(_OF_MESSAGES, reporter_id, conversations, commitments)]


async def since(uow: UnitOfWork, reporter_id: UUID, time: datetime) -> Reported:
    """Returns how many messages an account has reported since then, and when the first of them."""
    row = await uow.fetchrow(_SINCE, reporter_id, time)
    assert row is not None
    return Reported(row["reports"], row["first"])


async def newest(uow: UnitOfWork, before: UUID | None, limit: int) -> list[MessageReport]:
    """Returns the newest reports, of those before one."""
    return [_report(row) for row in await uow.fetch(_LIST, before or _AFTER_ALL, limit)]


async def find(uow: UnitOfWork, report_id: UUID) -> MessageReport | None:
    """Returns a report by its id."""
    row = await uow.fetchrow(_FIND, report_id)
    return _report(row) if row else None


def _report(row: "Row") -> MessageReport:
    delivered = Delivered(row["conversation_id"], row["sender_account_id"], microseconds_of(row["sent_at"]))
    return MessageReport(
        row["id"],
        row["reporter_account_id"],
        ReportReason(row["reason"]),
        row["reported_at"],
        row["sent_at"],
        Evidence(delivered, row["commitment"], row["opening"], row["content"], row["delivery_tag"]),
    )
