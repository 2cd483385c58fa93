"""What this slice declares. The journal of a live session is in Redis, for a month after its last change."""

from collections.abc import Sequence

from cluster.events.consumer import Consumer
from cluster.postgres import Reaction
from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.auth.feature import AUTH
from features.feature import Entities, Feature, Scope
from features.live_sessions.consumers import SocketRevocation
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.ports import LIVE_SESSIONS as PORT
from features.live_sessions.settings import PRESENCE_SETTINGS
from features.realtime.feature import REALTIME
from features.relationships.feature import RELATIONSHIPS


def _consumers(scope: Scope) -> Sequence[Consumer]:
    live = scope.ports.get(PORT)
    return SocketRevocation(live).consumers() if live else ()


def _reaction(scope: Scope) -> Reaction | None:
    live = scope.ports.get(PORT)
    return SocketRevocation(live).after_commit if live else None


LIVE_SESSIONS = Feature(
    name="live_sessions",
    needs=(ACCOUNTS, AUTH, RELATIONSHIPS, REALTIME),
    tables=(Table("presence_settings", "account_id", "as long as the account", subjects=("account_id",)),),
    entities=(Entities("actors.sessions:KIND", PORT, "actors.sessions.calls:open_calls"),),
    policy=LiveSessionPolicy,
    settings=(PRESENCE_SETTINGS,),
    consumers=_consumers,
    reaction=_reaction,
)
