"""The data of devices."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crypto.directory import AccountKeys


def user_of(account_id: UUID) -> str:
    """Returns the name of an account in the encryption protocols: crypto.sessions.DeviceAddress, credentials of MLS,
    the key directory."""
    return account_id.hex


@dataclass(frozen=True, slots=True)
class Device:
    """A device of an account. `identity_key`: EncodeEC, 33 bytes. `session_id`: the sign-in session that acts for it,
    which may have ended."""

    number: int
    identity_key: bytes
    session_id: UUID
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Roster:
    """The devices of an account, in the order of their numbers. `keys` are the newest version of its keys, None before
    the first device; `last_number` is the highest number that a device has had."""

    devices: tuple[Device, ...]
    keys: AccountKeys | None
    last_number: int

    def device(self, number: int) -> Device | None:
        """Returns the device of this number, None if there is none."""
        return next((device for device in self.devices if device.number == number), None)

    def of_session(self, session_id: UUID) -> Device | None:
        """Returns the device that a session acts for, None if there is none."""
        return next((device for device in self.devices if device.session_id == session_id), None)
