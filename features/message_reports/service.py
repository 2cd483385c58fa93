"""The service of reports of messages: who got a message shows it, with the proof that it was sent.

Nobody else is asked: a message can be reported after a block, or after the reporter has left the group, since its tag
says to whom it was delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cluster.ids import new_id
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.delivery_tags import DeliveryTags
from features.message_reports import store
from features.message_reports.checking import check, holds
from features.message_reports.errors import NoSuchReport, TooManyMessageReports
from features.message_reports.model import Evidence, MessageReport, ReportReason
from features.message_reports.policy import MessageReportPolicy
from features.microseconds import time_of
from features.relationships.errors import NoSuchPerson, Yourself

REPORTED = Counter("entativa_message_reports_total", "Requests that have reported messages", ["reason"])

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MessageReportService:
    policy: MessageReportPolicy
    tags: DeliveryTags

    async def report(
        self, uow: UnitOfWork, me: UUID, reason: ReportReason, messages: Sequence[Evidence], now: datetime
    ) -> tuple[list[MessageReport], bool]:
        """Stores messages that were delivered to the caller, for moderators; those that the caller has reported before
        are as they were. Returns the reports in the order of the messages, and whether there is a new one. Two
        statements, or three. Raises MessageNotProven, DeliveryKeyReplaced, Yourself, NoSuchPerson,
        TooManyMessageReports."""
        for number, each in enumerate(messages):
            if each.delivered.sender_id == me:
                raise Yourself(field=f"messages.{number}.sender_account_id")
            check(each, me, self.tags, f"messages.{number}")
        new = await store.insert(uow, [_report(me, reason, each, now) for each in messages])
        if new:
            await self._check_limit(uow, me, now)
            REPORTED.labels(reason.value).inc()
        found = {_key(each.evidence): each for each in await store.of_messages(uow, me, messages)}
        if any(_key(each) not in found for each in messages):
            raise NoSuchPerson
        return [found[_key(each)] for each in messages], new

    async def newest(self, uow: UnitOfWork, before: UUID | None, limit: int) -> list[MessageReport]:
        """Returns up to `limit` reports, newest first, of those before one: for moderators. One statement."""
        return await store.newest(uow, before, limit)

    async def get(self, uow: UnitOfWork, report_id: UUID) -> MessageReport:
        """Returns a report: for moderators. Raises NoSuchReport."""
        found = await store.find(uow, report_id)
        if found is None:
            raise NoSuchReport
        return found

    def holds(self, report: MessageReport) -> bool:
        """Returns whether what is stored proves that the message was sent. It does, unless somebody has altered it or
        replaced the key."""
        return holds(report, self.tags)

    async def _check_limit(self, uow: UnitOfWork, me: UUID, now: datetime) -> None:
        found = await store.since(uow, me, now - _DAY)
        if found.messages > self.policy.max_a_day:
            waits = _DAY if found.first is None else found.first + _DAY - now
            raise TooManyMessageReports(
                f"You can report at most {self.policy.max_a_day} messages a day.",
                retry_after_s=int(waits.total_seconds()) + 1,
            )


def _report(me: UUID, reason: ReportReason, message: Evidence, now: datetime) -> MessageReport:
    sent_at = time_of(message.delivered.seq // 1_000 * 1_000)
    return MessageReport(new_id(now), me, reason, now, sent_at, message)


def _key(message: Evidence) -> tuple[UUID, bytes]:
    """What tells the messages that were delivered to an account apart."""
    return message.delivered.conversation_id, message.commitment
