"""What a brand can change about links to posts."""

from dataclasses import dataclass
from datetime import timedelta

from features.documented import documented


@dataclass(frozen=True, slots=True)
class ShareLinkPolicy:
    max_links: int = 1_000
    """Of an account, without those that have expired."""
    lifetime: timedelta = timedelta(days=30)
    """Where the request has none."""
    min_lifetime: timedelta = timedelta(minutes=1)
    max_lifetime: timedelta = documented(timedelta(days=366), most=timedelta(days=3660))
