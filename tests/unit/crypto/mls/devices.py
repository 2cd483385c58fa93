"""Devices with identities, for tests of groups whose members are authenticated."""

from dataclasses import replace

from crypto.identity import IdentityKeyPair
from crypto.mls import (
    Add,
    CipherSuite,
    Group,
    GroupPolicy,
    IdentityAuthentication,
    IdentityCredential,
    KeyPackageBundle,
    KnownDevices,
    Lifetime,
    SignatureKeyPair,
)
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.party import DEFAULT, LIFETIME, NOW, package


class Device:
    """One device of a user: its identity, its MLS signature key and what it knows of others."""

    def __init__(self, user: str, number: int = 1, *, seed: str = "", suite: CipherSuite = DEFAULT) -> None:
        self.user, self.number, self.suite = user, number, suite
        self.randomness = SeededRandomness(f"{user} {number} {seed}".encode())
        self.identity = IdentityKeyPair.generate(self.randomness)
        self.signer = SignatureKeyPair.generate(suite, self.randomness)
        self.statement = self.issue(self.signer)
        self.known = KnownDevices()
        self.policy = GroupPolicy(IdentityAuthentication(self.known), suites=frozenset(CipherSuite))
        self.knows(self)

    def issue(
        self, signer: SignatureKeyPair, generation: int = 1, oldest: int = 0, lifetime: Lifetime = LIFETIME
    ) -> IdentityCredential:
        return IdentityCredential.issue(
            self.identity,
            self.user,
            self.number,
            signer.public_key,
            lifetime,
            self.randomness,
            generation=generation,
            oldest=oldest,
        )

    def knows(self, *others: "Device") -> None:
        for other in others:
            self.known.add(other.user, other.number, other.identity.public)

    def allow(self, **permissions: bool) -> None:
        self.policy = replace(self.policy, **permissions)  # type: ignore[arg-type]

    def bundle(self, statement: IdentityCredential | None = None) -> KeyPackageBundle:
        credential = (statement or self.statement).credential()
        return KeyPackageBundle.generate(self.suite, credential, self.signer, LIFETIME, self.randomness)

    def found(self, group_id: bytes = b"group") -> Group:
        return Group.create(
            self.suite,
            group_id,
            self.statement.credential(),
            self.signer,
            LIFETIME,
            self.randomness,
            policy=self.policy,
        )

    def join(self, welcome: bytes | None, bundle: KeyPackageBundle) -> Group:
        assert welcome is not None
        return Group.join(welcome, bundle, self.randomness, now=NOW, policy=self.policy)


def acquainted(*users: str) -> list[Device]:
    """One device each, who have compared their identities."""
    devices = [Device(user) for user in users]
    for device in devices:
        device.knows(*devices)
    return devices


def assemble(devices: list[Device]) -> list[Group]:
    """A group of ``devices``, created by the first."""
    founder, bundles = devices[0].found(), [device.bundle() for device in devices[1:]]
    commit = founder.commit([Add(package(bundle)) for bundle in bundles], now=NOW)
    founder.apply(commit)
    joined = [device.join(commit.welcome, bundle) for device, bundle in zip(devices[1:], bundles, strict=True)]
    return [founder, *joined]
