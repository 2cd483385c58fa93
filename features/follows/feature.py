"""What this slice declares."""

from cluster.tables import Table
from features.feature import Feature, Scope
from features.follows.events import EVENTS
from features.follows.policy import FollowPolicy
from features.follows.service import FollowService
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS
from features.relationships.service import RelationshipService


def _service(scope: Scope) -> FollowService:
    return FollowService(scope.policy(FollowPolicy), scope.service(RelationshipService), scope.service(ProfileService))


FOLLOWS = Feature(
    name="follows",
    needs=(PROFILES, RELATIONSHIPS),
    policy=FollowPolicy,
    service=_service,
    events=EVENTS,
    tables=(Table("follow_days", "account_id", "the latest day of each account", subjects=("account_id",)),),
)
