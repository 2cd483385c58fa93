from dataclasses import dataclass
from features.friends.policy import FriendPolicy
from features.profiles.service import ProfileService
from features.relationships.service import RelationshipService


@dataclass(frozen=True, slots=True)
class FriendService:
    policy: FriendPolicy
    relationships: RelationshipService
    profiles: ProfileService
