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
