"""What this slice declares."""

from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.profiles.events import EVENTS
from features.profiles.policy import ProfilePolicy
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS
from features.relationships.service import RelationshipService


def _service(scope: Scope) -> ProfileService:
    return ProfileService(scope.policy(ProfilePolicy), scope.service(RelationshipService))


PROFILES = Feature(
    name="profiles",
    needs=(ACCOUNTS, RELATIONSHIPS),
    policy=ProfilePolicy,
    service=_service,
    events=EVENTS,
    tables=(
        Table("profiles", "account_id", "as long as the account", subjects=("account_id",)),
        Table("profile_images", "account_id", "as long as the account", subjects=("account_id",)),
    ),
)
