"""The service of settings. Only their account reads and changes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.settings import store
from features.settings.errors import StaleSettings
from features.settings.events import SettingsChanged
from features.settings.model import ChosenSettings, Settings, SettingsSchema


@dataclass(frozen=True, slots=True)
class SettingsService:
    schema: SettingsSchema

    async def get(self, uow: UnitOfWork, account_id: UUID) -> Settings:
        """Returns an account's settings. One statement."""
        chosen = await store.read(uow, account_id)
        return Settings(chosen.version, self.schema.complete(chosen.values))

    async def change(
        self, uow: UnitOfWork, account_id: UUID, version: int, changes: Mapping[str, Any], now: datetime
    ) -> Settings:
        """Applies a merge patch (RFC 7396) to the settings of this version. Returns the settings; a patch that changes
        nothing makes no new version. Raises StaleSettings with the present settings if there is a newer version, and
        BadSetting."""
        chosen = await store.read(uow, account_id)
        if chosen.version != version:
            raise self._stale(chosen)
        changed = self.schema.change(chosen.values, changes)
        if changed == chosen.values:
            return Settings(version, self.schema.complete(chosen.values))
        if not await store.write(uow, account_id, version, changed, now):
            raise self._stale(await store.read(uow, account_id))
        for section, values in self.schema.applied(chosen.values, changed):
            assert section.apply is not None
            await section.apply(uow, account_id, values)
        publish(uow, SettingsChanged(account_id, version + 1), now)
        return Settings(version + 1, self.schema.complete(changed))

    def _stale(self, chosen: ChosenSettings) -> StaleSettings:
        stale = StaleSettings()
        stale.current = {"version": chosen.version, "settings": self.schema.complete(chosen.values)}
        return stale
