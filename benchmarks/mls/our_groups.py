"""Groups of `crypto.mls`, for the MLS figures, step by step as `peers/ts_mls_group.py` takes them."""

from __future__ import annotations

import time

from benchmarks.cost import Cost, Stopwatch
from crypto.mls import (
    Add,
    BasicCredential,
    CipherSuite,
    Group,
    GroupPolicy,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    SignatureKeyPair,
    StagedCommit,
    TrustOnPresentation,
)
from crypto.randomness import SystemRandomness

RNG = SystemRandomness()
POLICY = GroupPolicy(
    TrustOnPresentation(), suites=frozenset(CipherSuite), allow_external_commits=True, allow_resync=True
)
HOUR = 3600


def lifetime(now: int) -> Lifetime:
    """From an hour ago for 28 days."""
    return Lifetime(now - HOUR, now + 28 * 24 * HOUR)


class OurGroups:
    """Each step returns its cost, and the bytes that travel. Decoding and encoding of these bytes is in the times."""

    def __init__(self, suite: CipherSuite) -> None:
        self._suite = suite
        self._bundles: dict[str, KeyPackageBundle] = {}
        self._groups: dict[str, Group] = {}
        self._now = int(time.time())

    def key_package(self, member: str) -> bytes:
        signer = SignatureKeyPair.generate(self._suite, RNG)
        bundle = KeyPackageBundle.generate(
            self._suite, BasicCredential(member.encode()), signer, lifetime(self._now), RNG
        )
        self._bundles[member] = bundle
        return bundle.message()

    def create(self, founder: str, key_packages: list[bytes]) -> tuple[Cost, bytes, bytes]:
        """Cost, Welcome, tree."""
        signer = SignatureKeyPair.generate(self._suite, RNG)
        with Stopwatch() as watch:
            group = Group.create(
                self._suite,
                b"benchmark",
                BasicCredential(founder.encode()),
                signer,
                lifetime(self._now),
                RNG,
                policy=POLICY,
            )
            made = group.commit(
                [Add(KeyPackage.from_message(package)) for package in key_packages],
                now=self._now,
                tree_in_welcome=False,
            )
            group.apply(made)
        self._groups[founder] = group
        assert made.welcome is not None
        return watch.cost, made.welcome, group.ratchet_tree()

    def join(self, member: str, welcome: bytes, tree: bytes) -> Cost:
        with Stopwatch() as watch:
            group = Group.join(welcome, self._bundles[member], RNG, now=self._now, ratchet_tree=tree, policy=POLICY)
        self._groups[member] = group
        return watch.cost

    def join_external(self, member: str, group_info: bytes, tree: bytes) -> tuple[Cost, bytes]:
        signer = SignatureKeyPair.generate(self._suite, RNG)
        with Stopwatch() as watch:
            joined = Group.external_join(
                group_info,
                BasicCredential(member.encode()),
                signer,
                RNG,
                now=self._now,
                ratchet_tree=tree,
                policy=POLICY,
            )
        self._groups[member] = joined.group
        return watch.cost, joined.message

    def replace(self, member: str, leaf: int, group_info: bytes, tree: bytes) -> bytes:
        """Takes the place of the member at `leaf`, whose name is `member`; the commit."""
        signer = SignatureKeyPair.generate(self._suite, RNG)
        joined = Group.external_join(
            group_info,
            BasicCredential(member.encode()),
            signer,
            RNG,
            now=self._now,
            resync=leaf,
            ratchet_tree=tree,
            policy=POLICY,
        )
        self._groups[member] = joined.group
        return joined.message

    def group(self, member: str) -> Group:
        return self._groups[member]

    def public_group(self, member: str) -> tuple[bytes, bytes]:
        """GroupInfo and tree."""
        group = self._groups[member]
        return group.group_info(with_tree=False, external_pub=True), group.ratchet_tree()

    def update(self, member: str) -> tuple[Cost, bytes]:
        """Cost, commit."""
        group = self._groups[member]
        with Stopwatch() as watch:
            made = group.commit(now=self._now)
            group.apply(made)
        return watch.cost, made.message

    def process(self, member: str, message: bytes) -> Cost:
        group = self._groups[member]
        with Stopwatch() as watch:
            received = group.process(message, now=self._now)
            if isinstance(received, StagedCommit):
                group.apply(received)
        return watch.cost

    def send(self, member: str, data: bytes) -> tuple[Cost, bytes]:
        group = self._groups[member]
        with Stopwatch() as watch:
            message = group.encrypt(data)
        return watch.cost, message

    def forget(self, member: str) -> None:
        del self._groups[member]
