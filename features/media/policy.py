"""What a brand can change about media."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    max_image_bytes: int = 30 * 1024 * 1024
    max_video_bytes: int = 2 * 1024 * 1024 * 1024
    max_bytes_per_account: int = 50 * 1024 * 1024 * 1024
    """What an account has stored and is uploading, together."""
    max_open_uploads: int = 50
    """Uploads of one account that are not complete, parts of others included."""
    max_parts: int = 2_000
    """Requests and parts of which one upload consists."""
    upload_lifetime: timedelta = timedelta(hours=24)
    """How long after its last bytes an upload can be continued."""
    buffer_bytes: int = 64 * 1024 * 1024
    """What all uploads of a process buffer together before each stores smaller parts."""
    stall_timeout: timedelta = timedelta(seconds=30)
    """How long a request may send nothing before it is answered."""
    address_lifetime: timedelta = timedelta(minutes=30)
    """How long an address of content is good at least; at most twice that."""
    garbage_grace: timedelta = timedelta(hours=1)
    """How long an object stays in storage after the last medium with that content is deleted."""

    @property
    def max_upload_bytes(self) -> int:
        return max(self.max_image_bytes, self.max_video_bytes)
