"""The service of exports. Whoever has borrowed or stolen a session must not take everything away with it: requests and
downloads are for sessions that have just begun with the password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.auth.service import AuthService
from features.events import publish
from features.exports import store
from features.exports.errors import ExportJustRequested, ExportNotReady, NoSuchExport
from features.exports.events import ExportRequested
from features.exports.model import Export
from features.exports.policy import ExportPolicy
from features.identity import Identity


@dataclass(frozen=True, slots=True)
class ExportService:
    """The exports of one brand."""

    policy: ExportPolicy
    auth: AuthService

    async def request(self, uow: UnitOfWork, identity: Identity, now: datetime) -> Export:
        """Has an export of the caller's account made, in place of an older one. Raises LogInAgain,
        ExportJustRequested."""
        await self.auth.sessions.require_recent(uow, identity, now)
        before = await store.lock_of_account(uow, identity.account_id)
        if before is not None:
            wait = before.requested_at + self.policy.pause - now
            if wait.total_seconds() > 0:
                raise ExportJustRequested(retry_after_s=int(wait.total_seconds()) + 1)
            await store.delete(uow, before.id)
        export = await store.insert(uow, new_id(now), identity.account_id, now, now + self.policy.lifetime)
        if export is None:  # another request was faster
            raise ExportJustRequested(retry_after_s=int(self.policy.pause.total_seconds()))
        publish(uow, ExportRequested(identity.account_id, export.id), now)
        return export

    async def latest(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> Export:
        """Returns the latest export of an account. Raises NoSuchExport."""
        export = await store.of_account(uow, account_id)
        if export is None or export.expires_at <= now:
            raise NoSuchExport
        return export

    async def open(self, uow: UnitOfWork, identity: Identity, now: datetime) -> Export:
        """Returns the export of the caller's account, whose parts can be read. Raises LogInAgain, NoSuchExport,
        ExportNotReady."""
        await self.auth.sessions.require_recent(uow, identity, now)
        export = await self.latest(uow, identity.account_id, now)
        if export.ready_at is None:
            raise ExportNotReady
        return export

    async def part(self, uow: UnitOfWork, export: Export, number: int) -> bytes | None:
        """Returns a part of the content, numbered from 0; None after the last one."""
        return await store.part(uow, export.id, number)
