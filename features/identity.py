"""The identity of a signed-in caller."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Identity:
    """An account and the sign-in session of the request."""

    account_id: UUID
    session_id: UUID
