"""The data of accounts."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Account:
    """An account as log-in needs it."""

    id: UUID
    password_hash: str
