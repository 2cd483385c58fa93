"""What a brand can change about invitations to groups."""

from dataclasses import dataclass
from datetime import timedelta

from features.documented import documented


@dataclass(frozen=True, slots=True)
class GroupInvitationPolicy:
    max_invitations: int = 20
    """Of a group, without those that have expired."""
    lifetime: timedelta = timedelta(days=7)
    """Where the request has none."""
    min_lifetime: timedelta = timedelta(minutes=1)
    max_lifetime: timedelta = documented(timedelta(days=90), most=timedelta(days=3660))
    max_waiting: int = 100
    """Requests to join by one invitation that nobody has answered."""
    max_asked: int = 20
    """Groups that an account has asked to join and that it has not been let into, within `request_lifetime`."""
    request_lifetime: timedelta = timedelta(days=30)
    """How long a request to join can be answered."""
    max_told: int = 50
    """Owners and admins of a group who are told at once that somebody asks to join."""
