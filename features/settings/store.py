"""SQL of settings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.settings.model import ChosenSettings

_READ = "select version, chosen from account_settings where account_id = $1"

_INSERT = """
insert into account_settings (account_id, version, chosen, changed_at) values ($1, 1, $2, $3)
on conflict (account_id) do nothing
"""

_UPDATE = """
update account_settings set version = version + 1, chosen = $3, changed_at = $4
where account_id = $1 and version = $2
"""


async def read(uow: UnitOfWork, account_id: UUID) -> ChosenSettings:
    """Returns what the account has chosen."""
    row = await uow.fetchrow(_READ, account_id)
    return ChosenSettings() if row is None else ChosenSettings(row["version"], row["chosen"])


async def write(uow: UnitOfWork, account_id: UUID, version: int, chosen: dict[str, Any], now: datetime) -> bool:
    """Writes the version after `version`. Returns False if that is not the present one any more."""
    if version == 0:
        tag = await uow.execute(_INSERT, account_id, chosen, now)
    else:
        tag = await uow.execute(_UPDATE, account_id, version, chosen, now)
    return tag.endswith(" 1")
