"""The data of accounts."""

from dataclasses import dataclass
from uuid import UUID

from features.accounts.machine import Life


@dataclass(frozen=True, slots=True)
class Account:
    """An account as log-in needs it."""

    id: UUID
    password_hash: str
    life: Life


@dataclass(frozen=True, slots=True)
class Contact:
    """Where the owner of an account gets mail."""

    email: str
    life: Life
