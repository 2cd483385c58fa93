"""What this slice declares. Counters in memory are copies of what is stored."""

from collections.abc import Sequence

from cluster.events.consumer import Consumer
from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.counters.consumers import CounterUpdates
from features.counters.erasure import erase
from features.counters.events import EVENTS
from features.counters.policy import CounterPolicy
from features.counters.ports import COUNTERS as PORT
from features.counters.service import CounterService
from features.feature import Entities, Feature, Scope
from features.profiles.feature import PROFILES
from features.relationships.feature import RELATIONSHIPS


def _consumers(scope: Scope) -> Sequence[Consumer]:
    counters = scope.ports.get(PORT)
    return CounterUpdates(counters).consumers() if counters else ()


COUNTERS = Feature(
    name="counters",
    needs=(ACCOUNTS, PROFILES, RELATIONSHIPS),
    tables=(
        Table("reactions", "target_id", "until it is withdrawn or its target deleted", subjects=("account_id",)),
        Table("target_counts", "target_id", "until the target is deleted"),
    ),
    events=EVENTS,
    entities=(Entities("actors.counters:KIND", PORT, "actors.counters.calls:open_calls"),),
    policy=CounterPolicy,
    service=lambda scope: CounterService(scope.ports.get(PORT)),
    consumers=_consumers,
    erase=erase,
)
