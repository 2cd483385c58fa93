"""What a brand can change about posts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """Limits of a post. Lengths are in Unicode code points."""

    max_text_length: int = 10_000
    max_hashtags: int = 60
    """Different hashtags in one post."""
    max_mentions: int = 60
    """Different people mentioned in one post."""
    hashtag_days: int = 30
    """Number of days that `GET /hashtags/{tag}` returns."""
