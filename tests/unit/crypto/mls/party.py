"""People who talk to each other in tests."""

from collections.abc import Iterable, Sequence

from crypto.mls import (
    Add,
    ApplicationMessage,
    BasicCredential,
    Capabilities,
    CipherSuite,
    CommitApplied,
    CommitBundle,
    Extension,
    Group,
    GroupPolicy,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    Psks,
    SignatureKeyPair,
    StagedCommit,
    TrustOnPresentation,
)
from crypto.randomness import SeededRandomness

NOW = 1_700_000_000
LIFETIME = Lifetime(NOW - 1000, NOW + 80 * 24 * 3600)
OPEN = GroupPolicy(
    TrustOnPresentation(),
    suites=frozenset(CipherSuite),
    allow_external_commits=True,
    allow_resync=True,
    allow_join_requests=True,
)
"""Everybody is believed and may come in: for tests of what happens then."""
DEFAULT = CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519


class Person:
    """Someone with a name, a signature key and reproducible randomness."""

    capabilities: Capabilities | None = None

    def __init__(self, name: str, suite: CipherSuite = DEFAULT, policy: GroupPolicy | None = None) -> None:
        self.name = name
        self.suite = suite
        self.policy = policy or OPEN
        self.randomness = SeededRandomness(name.encode())
        self.signer = SignatureKeyPair.generate(suite, self.randomness)
        self.credential = BasicCredential(name.encode())

    def bundle(
        self,
        *,
        lifetime: Lifetime = LIFETIME,
        capabilities: Capabilities | None = None,
        extensions: Iterable[Extension] = (),
        leaf_extensions: Iterable[Extension] = (),
    ) -> KeyPackageBundle:
        return KeyPackageBundle.generate(
            self.suite,
            self.credential,
            self.signer,
            lifetime,
            self.randomness,
            capabilities=capabilities or self.capabilities,
            extensions=extensions,
            leaf_extensions=leaf_extensions,
        )

    def found(
        self,
        group_id: bytes = b"group",
        extensions: Iterable[Extension] = (),
        capabilities: Capabilities | None = None,
    ) -> Group:
        return Group.create(
            self.suite,
            group_id,
            self.credential,
            self.signer,
            LIFETIME,
            self.randomness,
            extensions=extensions,
            capabilities=capabilities or self.capabilities,
            policy=self.policy,
        )

    def join(self, welcome: bytes | None, bundle: KeyPackageBundle, tree: bytes | None = None) -> Group:
        assert welcome is not None
        return Group.join(welcome, bundle, self.randomness, now=NOW, ratchet_tree=tree, policy=self.policy)


def package(bundle: KeyPackageBundle) -> KeyPackage:
    """The public part as it arrives over the wire."""
    return KeyPackage.from_message(bundle.message())


def people(count: int, suite: CipherSuite = DEFAULT, policy: GroupPolicy | None = None) -> list[Person]:
    return [Person(f"person {number}", suite, policy) for number in range(count)]


def gather(persons: Sequence[Person], extensions: Iterable[Extension] = (), *, force_path: bool = False) -> list[Group]:
    """A group of ``persons``, created by the first in one commit; each one's view, in order."""
    founder = persons[0].found(extensions=extensions)
    bundles = [person.bundle() for person in persons[1:]]
    commit = founder.commit([Add(package(b)) for b in bundles], now=NOW, force_path=force_path)
    founder.apply(commit)
    joined = [p.join(commit.welcome, b) for p, b in zip(persons[1:], bundles, strict=True)]
    return [founder, *joined]


def follow(group: Group, message: bytes, *, now: int = NOW, psks: Psks | None = None) -> CommitApplied:
    """Process somebody else's commit and apply it."""
    staged = group.process(message, now=now, psks=psks or Psks())
    assert isinstance(staged, StagedCommit)
    return group.apply(staged)


def settle(
    groups: Sequence[Group], committer: Group, bundle: CommitBundle, psks: Psks | None = None
) -> list[CommitApplied]:
    """The committer applies its commit and all others process it; then all agree."""
    results = [committer.apply(bundle)]
    results += [follow(group, bundle.message, psks=psks) for group in groups if group is not committer]
    assert_agreement([group for group in groups if group.active])
    return results


def assert_agreement(groups: Sequence[Group]) -> None:
    """All are in the same epoch with the same secrets and tree, and can talk to each other."""
    first = groups[0]
    for group in groups:
        assert group.epoch == first.epoch
        assert group.epoch_authenticator == first.epoch_authenticator
        assert group.ratchet_tree() == first.ratchet_tree()
        assert group.export_secret("test", b"", 32) == first.export_secret("test", b"", 32)


def assert_conversation(groups: Sequence[Group]) -> None:
    """What each one says, everybody else reads."""
    for speaker in groups:
        message = speaker.encrypt(b"hello from %d" % speaker.own_leaf, b"header")
        for listener in groups:
            if listener is not speaker:
                heard = listener.process(message, now=NOW)
                assert isinstance(heard, ApplicationMessage)
                assert heard.data == b"hello from %d" % speaker.own_leaf
                assert (heard.sender, heard.authenticated_data) == (speaker.own_leaf, b"header")
