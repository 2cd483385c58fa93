"""The settings of presence, kept in a table that statements about pairs of people join (presence.py)."""

from uuid import UUID

from pydantic import Field

from cluster.postgres import UnitOfWork
from features.feature import SettingsSection, SettingsValues
from features.live_sessions.presence import PresenceAudience

_SET = """
insert into presence_settings (account_id, audience) values ($1, $2)
on conflict (account_id) do update set audience = excluded.audience
"""


class PresenceSettings(SettingsValues):
    """Presence. A block always hides it."""

    audience: PresenceAudience = Field(
        default=PresenceAudience.CONTACTS,
        description="Who may see whether the person is online, and since when not: `contacts` are friends (Entativa) "
        "or followers (Vignette).",
    )


async def apply_presence_settings(uow: UnitOfWork, account_id: UUID, values: PresenceSettings) -> None:
    """Keeps the audience where presence.py looks it up."""
    await uow.execute(_SET, account_id, values.audience.value)


PRESENCE_SETTINGS = SettingsSection("presence", PresenceSettings, apply_presence_settings)
