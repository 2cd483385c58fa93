"""What a brand can change about attachments."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AttachmentPolicy:
    max_bytes: int = 104 * 1024 * 1024
    """Of one attachment, encrypted: a file of 100 MiB with its padding."""
    max_bytes_per_account: int = 2 * 1024 * 1024 * 1024
    """Of an account's attachments that have not expired, together."""
    max_per_account: int = 10_000
    """How many attachments of an account there are at once."""
    upload_lifetime: timedelta = timedelta(days=1)
    """How long an upload may take, from its beginning."""
    lifetime: timedelta = timedelta(days=45)
    """How long a complete attachment is kept: longer than a message waits for a device (MessagingPolicy)."""
