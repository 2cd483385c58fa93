"""The service of live sessions for HTTP: who may see a user's presence."""

from dataclasses import dataclass
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.live_sessions.presence import PresenceAudience

_GET = "select audience from presence_settings where account_id = $1"
_SET = """
insert into presence_settings (account_id, audience) values ($1, $2)
on conflict (account_id) do update set audience = excluded.audience
"""


@dataclass(frozen=True, slots=True)
class LiveSessionService:
    async def presence_audience(self, uow: UnitOfWork, account_id: UUID) -> PresenceAudience:
        """Returns the user's presence setting; `contacts` unless it was changed."""
        return PresenceAudience(await uow.fetchval(_GET, account_id) or PresenceAudience.CONTACTS)

    async def set_presence_audience(self, uow: UnitOfWork, account_id: UUID, audience: PresenceAudience) -> None:
        """Stores the user's presence setting."""
        await uow.execute(_SET, account_id, audience.value)
