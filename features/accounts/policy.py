"""What a brand can change about accounts."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    deletion_grace: timedelta = timedelta(days=30)
    """How long the owner of an account can take its deletion back, by logging in."""
