"""Who asks."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in account on one of its device sessions."""

    account_id: UUID
    session_id: UUID
