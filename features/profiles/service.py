from dataclasses import dataclass
from features.profiles.policy import ProfilePolicy
from features.relationships.service import RelationshipService


@dataclass(frozen=True, slots=True)
class ProfileService:
    policy: ProfilePolicy
    relationships: RelationshipService
