"""What this slice declares."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from cluster.tables import Expiry, PartOf, Table
from features.account_rows import export_rows
from features.accounts.feature import ACCOUNTS
from features.auth.feature import AUTH
from features.auth.service import AuthService
from features.exports.consumers import consumers
from features.exports.events import EVENTS
from features.exports.policy import ExportPolicy
from features.exports.service import ExportService
from features.feature import ExportedRow, Feature, Scope

_EXPORTS = Table(
    "account_exports",
    "account_id",
    "a week (ExportPolicy.lifetime)",
    Expiry("expires_at", timedelta()),
    subjects=("account_id",),
)
_PARTS = Table(
    "account_export_parts", "export_id", "as long as the export", part_of=PartOf("account_exports", "export_id")
)


def _service(scope: Scope) -> ExportService:
    return ExportService(scope.policy(ExportPolicy), scope.service(AuthService))


def _consumers(scope: Scope) -> Sequence[Consumer]:
    return consumers(scope.features, scope.policy(ExportPolicy), scope.now)


async def _export(uow: UnitOfWork, account_id: UUID) -> AsyncIterator[ExportedRow]:
    """That there was an export. Its content is what other features know."""
    async for row in export_rows(uow, (_EXPORTS,), account_id):
        yield row


EXPORTS = Feature(
    name="exports",
    needs=(ACCOUNTS, AUTH),
    policy=ExportPolicy,
    service=_service,
    consumers=_consumers,
    export=_export,
    events=EVENTS,
    tables=(_EXPORTS, _PARTS),
)
