"""Who a session is with (Sesame §2.2: UserID and DeviceID)."""

from typing import NamedTuple

from crypto import wire

MAX_USER_LENGTH = 256


class DeviceAddress(NamedTuple):
    """One device of one account. ``user`` is a stable account id, at most 256 bytes in UTF-8."""

    user: str
    device: int

    def encode(self) -> bytes:
        """user block | device(4)."""
        return wire.block(self.user.encode()) + wire.u32(self.device)
