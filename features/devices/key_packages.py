"""Checks the KeyPackages that a device uploads. Pure functions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from crypto.errors import CryptoError
from crypto.identity import IdentityKey
from crypto.mls import (
    CipherSuite,
    GroupPolicy,
    IdentityAuthentication,
    KeyPackage,
    KnownDevices,
    check_key_package,
)
from features.devices.errors import BadKeyPackage
from features.devices.model import Device, user_of

MAX_UPLOAD = 100
MAX_LENGTH = 8_192


@dataclass(frozen=True, slots=True)
class StoredKeyPackage:
    """A KeyPackage that others would accept. `package`: an MLSMessage."""

    suite: int
    last_resort: bool
    reference: bytes
    expires_at: datetime
    package: bytes


def read_upload(
    messages: list[bytes], account_id: UUID, device: Device, suites: frozenset[CipherSuite], now: datetime
) -> list[StoredKeyPackage]:
    """Returns what a device uploads, each once. Raises BadKeyPackage unless members of a group would add the device by
    it: signatures, lifetime, suite, and a credential that the device's identity key has signed."""
    known = KnownDevices()
    known.add(user_of(account_id), device.number, IdentityKey.decode(device.identity_key))
    policy = GroupPolicy(authentication=IdentityAuthentication(known), suites=suites)
    found = {}
    for place, message in enumerate(messages):
        try:
            package = check_key_package(message, now=int(now.timestamp()), policy=policy)
        except CryptoError as error:
            raise BadKeyPackage(
                f"Nobody would accept this KeyPackage: {error}.", field=f"key_packages.{place}"
            ) from None
        stored = _stored(package, message)
        found[stored.reference] = stored
    return list(found.values())


def _stored(package: KeyPackage, message: bytes) -> StoredKeyPackage:
    lifetime = package.leaf_node.lifetime
    assert lifetime is not None  # checked
    expires_at = datetime.fromtimestamp(lifetime.not_after, UTC)
    return StoredKeyPackage(package.cipher_suite, package.is_last_resort, package.reference(), expires_at, message)
