"""The identity keys that a client knows, by user and device."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from crypto import wire
from crypto.curve25519 import ENCODED_LENGTH
from crypto.identity import IdentityKey
from crypto.mls.credentials import Credential
from crypto.mls.errors import InvalidCredential, InvalidInput
from crypto.mls.identity_credential import MAX_USER_LENGTH, IdentityCredential, check_user

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device's identity key, and the oldest generation of its signature keys that it still stands by."""

    identity: IdentityKey
    oldest: int = 0


class DeviceDirectory(Protocol):
    """Where the identity keys come from: a client's contacts, kept in step with the transparency log."""

    def find(self, user: str, device: int) -> KnownDevice | None:
        """The device, or None for one that is unknown, removed or not verified."""
        ...


class KnownDevices:
    """A directory in memory. Fill it with keys that were compared or looked up in the transparency log."""

    __slots__ = ("_devices",)

    def __init__(self) -> None:
        self._devices: dict[tuple[str, int], KnownDevice] = {}

    def __iter__(self) -> Iterator[tuple[tuple[str, int], KnownDevice]]:
        return iter(self._devices.items())

    def find(self, user: str, device: int) -> KnownDevice | None:
        return self._devices.get((user, device))

    def add(self, user: str, device: int, identity: IdentityKey) -> None:
        """Believe that the device has this identity key.

        Raises InvalidCredential if another one is known: a person has to accept the change, with :meth:`remove` first.
        Raises InvalidInput for a name or number that no credential can hold.
        """
        check_user(user)
        if not 0 <= device < 1 << 32:
            raise InvalidInput("the device's number does not fit into four bytes")
        known = self._devices.setdefault((user, device), KnownDevice(identity))
        if known.identity != identity:
            raise InvalidCredential("another identity key of this device is known")

    def remove(self, user: str, device: int) -> None:
        """Forget a device, so that nothing of it is believed any more."""
        self._devices.pop((user, device), None)

    def observe(self, credential: Credential, signature_key: bytes) -> None:
        """Learn from a credential that was seen, in a group or elsewhere, which generations its device gave up.

        Raises InvalidCredential, and learns nothing, unless the device is known and vouches for it.
        """
        statement = IdentityCredential.of(credential)
        known = self.find(statement.user, statement.device)
        if known is None or known.identity != statement.identity:
            raise InvalidCredential("the identity key of this device is not known")
        statement.verify(signature_key)
        if statement.oldest > known.oldest:
            self._devices[statement.user, statement.device] = replace(known, oldest=statement.oldest)

    def serialize(self) -> bytes:
        """version(1) | count(4) | (user block | device(4) | identity(33) | oldest(8)) for each."""
        return (
            wire.u8(STATE_VERSION)
            + wire.u32(len(self._devices))
            + b"".join(
                wire.text(user, MAX_USER_LENGTH) + wire.u32(device) + known.identity.encode() + wire.u64(known.oldest)
                for (user, device), known in self._devices.items()
            )
        )

    @classmethod
    def restore(cls, state: bytes) -> "KnownDevices":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(state, "known devices")
        reader.state_version(STATE_VERSION)
        devices = cls()
        for _ in range(reader.count(wire.MAX_BLOCK)):
            user, device = reader.text(MAX_USER_LENGTH), reader.integer(4)
            identity = IdentityKey.decode(reader.take(ENCODED_LENGTH))
            devices._devices[user, device] = KnownDevice(identity, reader.integer(8))
        reader.finish()
        return devices
