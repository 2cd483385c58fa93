"""What a brand can change about images of profiles."""

from dataclasses import dataclass

from features.documented import documented


@dataclass(frozen=True, slots=True)
class ProfileImagePolicy:
    """Sizes are in pixels. What an upload may have at most is for the policy of media."""

    min_avatar_side: int = 100
    """Of the shorter side."""
    min_cover_width: int = 300
    min_cover_height: int = 100
    max_alt_length: int = documented(1_000)
    """Of the description of a cover, in Unicode code points."""
