"""Who a session is with (Sesame §2.2: UserID and DeviceID)."""

from typing import NamedTuple

from crypto import wire

MAX_USER_LENGTH = 256


class DeviceAddress(NamedTuple):
    """One device of one account. ``user`` is a stable account id, at most 256 bytes in UTF-8."""

    user: str
    device: int

    def encode(self) -> bytes:
        """user block | device(4). Raises ``ValueError`` for an address that no device can have."""
        if not 0 <= self.device < 1 << 32:
            raise ValueError("a device id has 32 bits")
        return wire.text(self.user, MAX_USER_LENGTH) + wire.u32(self.device)
