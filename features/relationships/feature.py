"""What this slice declares."""

from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.relationships.erasure import erase
from features.relationships.events import EVENTS
from features.relationships.policy import RelationshipPolicy
from features.relationships.recounts import COUNTS
from features.relationships.service import RelationshipService
from features.relationships.tables import CONNECTIONS, OTHER_TABLES


def _service(scope: Scope) -> RelationshipService:
    on_block = tuple(feature.on_block for feature in scope.features if feature.on_block)
    return RelationshipService(scope.policy(RelationshipPolicy), scope.cursors, on_block)


RELATIONSHIPS = Feature(
    name="relationships",
    needs=(ACCOUNTS,),
    policy=RelationshipPolicy,
    service=_service,
    events=EVENTS,
    tables=(CONNECTIONS, *OTHER_TABLES),
    erase=erase,
    counts=COUNTS,
)
