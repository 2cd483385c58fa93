"""The states of an account."""

from enum import StrEnum


class AccountState(StrEnum):
    """Whoever is not active is shown to nobody."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    """By its owner, who can come back at any time."""
    SUSPENDED = "suspended"
    """By a moderator."""
    DELETING = "deleting"
    """Its owner can still come back, for a while."""
    DELETED = "deleted"
    """For good: what is left of it is being erased."""
