"""A group of many accounts with a device each, as their clients have it, before the server knows of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from crypto.identity import IdentityKeyPair
from crypto.mls import (
    DEFAULT_SUITE,
    Add,
    CommitBundle,
    Credential,
    Group,
    GroupPolicy,
    IdentityAuthentication,
    IdentityCredential,
    KeyPackageBundle,
    KnownDevices,
    Lifetime,
    Role,
    RoleAuthorization,
    Roles,
    SignatureKeyPair,
)
from crypto.randomness import SystemRandomness

_RNG = SystemRandomness()
_DAY = 86_400
_DEVICE = 1
"""The number of each account's device."""


@dataclass(frozen=True, slots=True)
class GroupDevice:
    """An account's device: its keys and one KeyPackage."""

    account: UUID
    identity: IdentityKeyPair
    signer: SignatureKeyPair
    credential: Credential
    key_package: KeyPackageBundle

    @classmethod
    def new(cls, account: UUID) -> GroupDevice:
        """A device with new keys."""
        identity, signer = IdentityKeyPair.generate(_RNG), SignatureKeyPair.generate(DEFAULT_SUITE, _RNG)
        statement = IdentityCredential.issue(identity, account.hex, _DEVICE, signer.public_key, _lifetime(), _RNG)
        credential = statement.credential()
        package = KeyPackageBundle.generate(DEFAULT_SUITE, credential, signer, _lifetime(), _RNG)
        return cls(account, identity, signer, credential, package)


class LargeGroup:
    """The group of its founder, the first of the devices, and how the others come in."""

    def __init__(self, devices: Sequence[GroupDevice]) -> None:
        known = KnownDevices()
        for device in devices:
            known.add(device.account.hex, _DEVICE, device.identity.public)
        self.devices = devices
        self._policy = GroupPolicy(
            authentication=IdentityAuthentication(known),
            authorization=RoleAuthorization(),
            allow_external_commits=True,
            allow_resync=True,
        )
        founder = devices[0]
        self.group = Group.create(
            DEFAULT_SUITE,
            uuid4().bytes,
            founder.credential,
            founder.signer,
            _lifetime(),
            _RNG,
            extensions=(Roles({founder.account.hex.encode(): Role.OWNER}).extension(),),
            policy=self._policy,
        )

    @property
    def id(self) -> UUID:
        """The group's."""
        return UUID(bytes=self.group.group_id)

    def add_everybody(self) -> CommitBundle:
        """One commit that adds all other devices. The group is as before until it is applied."""
        adds = [Add(device.key_package.key_package) for device in self.devices[1:]]
        return self.group.commit(adds, now=int(time.time()), tree_in_welcome=False, group_info=True)

    def join(self, device: GroupDevice, welcome: bytes, tree: bytes) -> Group:
        """A device's own view, by its Welcome. Raises CryptoError."""
        now = int(time.time())
        return Group.join(welcome, device.key_package, _RNG, now=now, ratchet_tree=tree, policy=self._policy)


def _lifetime() -> Lifetime:
    now = int(time.time())
    return Lifetime(now - 3600, now + 28 * _DAY)
