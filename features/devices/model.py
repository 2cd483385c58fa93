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
class DeviceAddress:
    """The account and number of a device. The number is unique within its account, and never used again."""

    account_id: UUID
    number: int


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


@dataclass(frozen=True, slots=True)
class LockedRoster:
    """The devices of an account that nobody else changes now, and how often they have changed of late."""

    roster: Roster
    changes: int


@dataclass(frozen=True, slots=True)
class PreKeyCounts:
    """How many one-time prekeys of a device are left, and whether it has published a signed one and a last resort."""

    published: bool
    one_time: int
    kem: int


@dataclass(frozen=True, slots=True)
class UploadedPreKeys:
    """How many prekeys a device has after an upload, and whether that was its first one."""

    counts: PreKeyCounts
    first: bool


@dataclass(frozen=True, slots=True)
class PreKeyBundleOf:
    """A bundle of one device (crypto.handshake.PreKeyBundle, encoded)."""

    number: int
    bundle: bytes


@dataclass(frozen=True, slots=True)
class KeyPackageCount:
    """How many KeyPackages of a device are left in a suite, beside its last resort."""

    suite: int
    one_time: int
    last_resort: bool


@dataclass(frozen=True, slots=True)
class ClaimedKeyPackage:
    """A KeyPackage of one device (an MLSMessage), None if it has none in the suite."""

    account_id: UUID
    number: int
    package: bytes | None


@dataclass(frozen=True, slots=True)
class TakenKeyPackages:
    """KeyPackages that were taken from devices, and the devices that have few left since."""

    claimed: list[ClaimedKeyPackage]
    low: list[DeviceAddress]


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """A device that waits for another device of its account to approve it, or that has been approved: then `number` is
    its number, and `sealed_box` what the other device has encrypted for it. `ephemeral_key`: 32 bytes, for that."""

    id: UUID
    session_id: UUID
    identity_key: bytes
    ephemeral_key: bytes
    created_at: datetime
    expires_at: datetime
    number: int | None = None
    sealed_box: bytes | None = None
