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
    max_content_warning_length: int = 200
    max_place_name_length: int = 100
    place_decimals: int = 3
    """Decimals of a degree that are kept of a place's coordinates; 3 are about 100 m."""
    max_pinned: int = 3
    """Posts that an author can pin to the profile."""
    hashtag_days: int = 30
    """Number of days that `GET /hashtags/{tag}` returns."""
