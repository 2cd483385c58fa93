"""What a brand can change about devices."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    changes_per_day: int = 20
    """Of an account's devices: each is a version of its keys that every contact follows."""
