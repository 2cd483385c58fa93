"""What a brand can change about friends."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FriendPolicy:
    max_friends: int = 1_500
    max_requests_per_window: int = 50
    window: timedelta = timedelta(days=1)
    """The rolling window of the limit above."""
    max_pending: int = 200
    """Pending requests of one sender."""
    cool_down: timedelta = timedelta(days=30)
    """How long after a refusal new requests of the same sender do not reach the recipient."""
