"""What a brand can change about follows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FollowPolicy:
    max_following: int = 7_500
    max_per_day: int = 500
    """Follows of one account per day (UTC), including those undone."""
