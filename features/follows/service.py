from dataclasses import dataclass
from features.follows.policy import FollowPolicy
from features.profiles.service import ProfileService
from features.relationships.service import RelationshipService


@dataclass(frozen=True, slots=True)
class FollowService:
    policy: FollowPolicy
    relationships: RelationshipService
    profiles: ProfileService
