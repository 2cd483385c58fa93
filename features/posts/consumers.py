"""Reactions to what happens to posts."""

from cluster.consumers import Consumer
from features.posts.service import PostService


def consumers(service: PostService) -> list[Consumer]:
    """The consumers of this slice."""
    return []
