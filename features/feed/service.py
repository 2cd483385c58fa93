"""Decisions about the feed."""

from dataclasses import dataclass

from features.feed.policy import FeedPolicy
from features.posts.service import PostService


@dataclass(frozen=True, slots=True)
class FeedService:
    """The feed of one person."""

    policy: FeedPolicy
    posts: PostService
