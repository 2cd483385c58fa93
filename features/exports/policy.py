"""What a brand can change about exports."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ExportPolicy:
    lifetime: timedelta = timedelta(days=7)
    """How long an export can be downloaded."""
    pause: timedelta = timedelta(days=1)
    """Between two requests of one account."""
    part_bytes: int = 256 * 1024
    """An export is stored, and sent, in compressed parts of about this size."""
