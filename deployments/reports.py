"""`entativa reports`: shows moderators the messages that people have reported, and whether the proof still holds.

What is shown is noted in logs/reports.log first.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import typer

from api.platform import Platform
from crypto.envelope import MessageContent
from crypto.errors import CryptoError
from deployments.access_log import note_access
from deployments.accounts import open_without_entities, print_json
from deployments.arguments import Brand
from features.message_reports.model import MessageReport
from features.message_reports.service import MessageReportService

app = typer.Typer(no_args_is_help=True, help="Messages that people have reported.")

Limit = Annotated[int, typer.Option(min=1, max=1_000, help="How many.")]
Before = Annotated[UUID | None, typer.Option(help="Only those before this one, which was shown last.")]
ReportId = Annotated[UUID, typer.Argument(help="The report's id.")]


@app.command(name="list")
def list_reports(brand: Brand, limit: Limit = 100, before: Before = None) -> None:
    """Print reports, newest first, as JSON lines without what the messages say."""

    async def work(platform: Platform) -> None:
        reports = platform.service(MessageReportService)
        async with platform.database.unit_of_work(read_only=True) as uow:
            for report in await reports.newest(uow, before, limit):
                print_json(_described(report, proven=reports.holds(report)))

    _run(brand, work)


@app.command()
def show(brand: Brand, report_id: ReportId) -> None:
    """Print a report with what the message says, as JSON. `proven`: the sender has sent exactly this to the reporter,
    in this conversation and at this time."""

    async def work(platform: Platform) -> None:
        reports = platform.service(MessageReportService)
        async with platform.database.unit_of_work(read_only=True) as uow:
            report = await reports.get(uow, report_id)
        note_access(brand, "reports", report_id=report_id)
        print_json({**_described(report, proven=reports.holds(report)), "content": _content(report)})

    _run(brand, work)


def _described(report: MessageReport, *, proven: bool) -> dict[str, Any]:
    delivered = report.evidence.delivered
    return {
        "id": report.id,
        "reported_at": report.reported_at,
        "reason": report.reason,
        "reporter_account_id": report.reporter_id,
        "sender_account_id": delivered.sender_id,
        "conversation_id": delivered.conversation_id,
        "sent_at": report.sent_at,
        "proven": proven,
    }


def _content(report: MessageReport) -> str | None:
    """What the sender's client has written, as text; None if it is no content of messages."""
    try:
        return MessageContent.decode(report.evidence.content).body.decode(errors="replace")
    except CryptoError:
        return None


def _run(brand: str, work: Callable[[Platform], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_without_entities(brand) as platform:
            await work(platform)

    asyncio.run(run())
