"""What this slice declares."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from cluster.tables import Table
from features.feature import Feature, Scope
from features.friends import store
from features.friends.events import EVENTS
from features.friends.policy import FriendPolicy
from features.friends.service import FriendService
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS
from features.relationships.service import RelationshipService


def _service(scope: Scope) -> FriendService:
    return FriendService(
        scope.policy(FriendPolicy),
        scope.service(RelationshipService),
        scope.service(ProfileService),
        scope.cursors,
    )


async def _on_block(uow: UnitOfWork, blocker_id: UUID, blocked_id: UUID, _now: datetime) -> None:
    await store.sever(uow, blocker_id, blocked_id)


FRIENDS = Feature(
    name="friends",
    needs=(PROFILES, RELATIONSHIPS),
    policy=FriendPolicy,
    service=_service,
    events=EVENTS,
    tables=(
        Table(
            "friend_requests",
            "sender_id",
            "as long as both accounts: limits and cool-downs look back at them",
            subjects=("sender_id",),
            mentions=("recipient_id",),
            # A sender does not learn of a refusal or a block.
            secrets=("state", "refused_at"),
        ),
    ),
    on_block=_on_block,
)
