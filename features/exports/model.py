"""The data of exports."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Export:
    """The latest export of an account. `ready_at` and `size` (bytes) are None until it is made."""

    id: UUID
    account_id: UUID
    requested_at: datetime
    ready_at: datetime | None
    size: int | None
    expires_at: datetime
