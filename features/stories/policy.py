"""What a brand can change about stories."""

from dataclasses import dataclass
from datetime import timedelta

from features.documented import documented


@dataclass(frozen=True, slots=True)
class StoryPolicy:
    """Limits of a story. Lengths are in Unicode code points."""

    lifetime: timedelta = timedelta(hours=24)
    """How long others than its author see a story. A change is for new stories."""
    max_text_length: int = documented(500)
    max_alt_length: int = documented(1_000)
    """Of the description of a medium."""
    max_mentions: int = documented(20)
    """Different people mentioned in a story, and mentions on its image."""
    max_live: int = 100
    """Stories of an account that others see at a time."""
    max_highlights: int = 100
    """Of an account."""
    max_highlighted: int = 100
    """Stories in one highlight."""
    max_title_length: int = documented(50)
    """Of a highlight."""
    closeness_period: timedelta = timedelta(days=30)
    """Whose stories somebody has seen in this time is how close they are."""
