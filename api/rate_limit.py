"""Rate limits: the generic cell rate algorithm (GCRA, ITU-T I.371), one Redis key per limit (api/admission.py).

Not a library's, because it runs in the same round trip as the session check (docs/decisions/rate-limits.md).
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """`per_minute` requests on average, and `burst` more at once."""

    per_minute: int
    burst: int

    @property
    def interval_us(self) -> int:
        """Microseconds between two requests at the allowed rate."""
        return 60_000_000 // self.per_minute
