"""Decisions about posts."""

from dataclasses import dataclass

from features.posts.policy import PostPolicy
from features.profiles.service import ProfileService


@dataclass(frozen=True, slots=True)
class PostService:
    """Everything one can do with posts."""

    policy: PostPolicy
    profiles: ProfileService
