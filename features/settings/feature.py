"""What this slice declares."""

from collections.abc import Sequence

from cluster.events.consumer import Consumer
from cluster.postgres import Reaction
from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.live_sessions.feature import LIVE_SESSIONS
from features.live_sessions.ports import LIVE_SESSIONS as PORT
from features.settings.consumers import SettingsSync
from features.settings.events import EVENTS
from features.settings.model import SettingsSchema
from features.settings.policy import SettingsPolicy
from features.settings.sections import SECTIONS
from features.settings.service import SettingsService


def _service(scope: Scope) -> SettingsService:
    sections = [section for feature in scope.features for section in feature.settings]
    return SettingsService(SettingsSchema(sections, scope.policy(SettingsPolicy).defaults))


def _sync(scope: Scope) -> SettingsSync | None:
    live = scope.ports.get(PORT)
    return SettingsSync(scope.service(SettingsService), live, scope.database) if live else None


def _consumers(scope: Scope) -> Sequence[Consumer]:
    sync = _sync(scope)
    return sync.consumers() if sync else ()


def _reaction(scope: Scope) -> Reaction | None:
    sync = _sync(scope)
    return sync.after_commit if sync else None


SETTINGS = Feature(
    name="settings",
    needs=(ACCOUNTS, LIVE_SESSIONS),
    policy=SettingsPolicy,
    service=_service,
    consumers=_consumers,
    reaction=_reaction,
    events=EVENTS,
    settings=SECTIONS,
    tables=(Table("account_settings", "account_id", "as long as the account", subjects=("account_id",)),),
)
