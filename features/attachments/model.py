"""The data of attachments."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

PART_BYTES = 512 * 1024
"""Of each part but the last one. A part is an object in storage."""
GARBAGE_DELAY = timedelta(minutes=10)
"""When the objects of an attachment that is gone are deleted: longer than a part takes to arrive and to be stored."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """Ciphertext of `size` bytes, of which the first `received` have arrived. `account_id`: who uploads it."""

    id: UUID
    account_id: UUID
    size: int
    received: int
    expires_at: datetime

    @property
    def complete(self) -> bool:
        return self.received == self.size

    @property
    def next_part(self) -> int:
        """The number of the part that is to arrive; behind the last one, if all have."""
        return parts_of(self.received)

    def part_size(self, number: int) -> int:
        """The bytes of a part."""
        return min(PART_BYTES, self.size - number * PART_BYTES)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the attachments of an account take: bytes, those included that have not arrived yet, and their number."""

    bytes: int
    number: int


def parts_of(size: int) -> int:
    """Returns of how many parts so many bytes consist."""
    return -(-size // PART_BYTES)


def object_key(attachment_id: UUID, number: int) -> str:
    """Returns the key of a part in object storage. It names nobody, and is never used for anything else."""
    return f"attachments/{attachment_id.hex}/{number}"


def object_keys(attachment_id: UUID, size: int) -> list[str]:
    """Returns the keys of all parts, whether they have arrived or not."""
    return [object_key(attachment_id, number) for number in range(parts_of(size))]
