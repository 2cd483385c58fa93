"""What a brand can tune about friends."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FriendPolicy:
    max_friends: int = 1_500
    max_requests_per_window: int = 50
    window: timedelta = timedelta(days=1)
    """The limit above counts over this rolling time."""
    max_pending: int = 200
    """Requests of one person that wait for an answer."""
    cool_down: timedelta = timedelta(days=30)
    """How long after a refusal a new request of the same person reaches nobody."""
