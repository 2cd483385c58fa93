"""What a brand can tune about follows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FollowPolicy:
    max_following: int = 7_500
    max_per_day: int = 500
    """Follows one person makes in a day (UTC); those taken back count as well."""
