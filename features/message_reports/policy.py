"""What a brand can change about reports of messages."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class MessageReportPolicy:
    max_a_day: int = 100
    """Messages that an account reports within 24 hours."""
    kept: timedelta = timedelta(days=180)
    """How long moderators have a reported message."""
