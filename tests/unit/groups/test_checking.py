"""What the server refuses of a group without any secret, and what it reads from what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from crypto.identity import IdentityKeyPair
from crypto.mls import (
    DEFAULT_SUITE,
    RFC_SUITES,
    Add,
    AnyMember,
    CommitBundle,
    Extension,
    ExtensionType,
    Group,
    GroupContextExtensions,
    GroupPolicy,
    IdentityCredential,
    KeyPackageBundle,
    KeyPackageStore,
    KnownDevices,
    Lifetime,
    Remove,
    Role,
    Roles,
    SignatureKeyPair,
)
from crypto.randomness import SystemRandomness
from features.delivery_tags import commitment_of_group_message
from features.devices.model import DeviceAddress
from features.errors import DomainError
from features.groups.checking import check_founding, epoch_of_message, group_and_epoch, group_policy, named_accounts
from features.groups.errors import (
    BadGroupInfo,
    BadGroupMessage,
    BadHandshake,
    BadWelcome,
    DeviceNotInGroup,
    NotAllowedInGroup,
    NotTheSender,
)
from features.groups.handshakes import Change, check_handshake
from features.groups.model import Caller, GroupContent, GroupRole, Handshake, StoredGroup

RNG = SystemRandomness()
NOW = 1_750_000_000
YEAR = 365 * 86_400


class Person:
    """A person with one device."""

    def __init__(self, known: KnownDevices) -> None:
        self.account = uuid4()
        self.identity = IdentityKeyPair.generate(RNG)
        self.signer = SignatureKeyPair.generate(DEFAULT_SUITE, RNG)
        self.lifetime = Lifetime(NOW - 3600, NOW + 28 * 86_400)
        self.credential = IdentityCredential.issue(
            self.identity, self.account.hex, 1, self.signer.public_key, self.lifetime, RNG
        ).credential()
        known.add(self.account.hex, 1, self.identity.public)

    def key_package(self, now: int = NOW) -> KeyPackageBundle:
        lifetime = Lifetime(now - 3600, now + 28 * 86_400)
        credential = IdentityCredential.issue(
            self.identity, self.account.hex, 1, self.signer.public_key, lifetime, RNG
        ).credential()
        return KeyPackageBundle.generate(DEFAULT_SUITE, credential, self.signer, lifetime, RNG)

    def group(self, policy: GroupPolicy, id: bytes, owner: UUID) -> Group:
        roles = Roles({owner.hex.encode(): Role.OWNER}).extension()
        return Group.create(
            DEFAULT_SUITE, id, self.credential, self.signer, self.lifetime, RNG, extensions=(roles,), policy=policy
        )

    def caller(self, leaf: int | None) -> Caller:
        return Caller(DeviceAddress(self.account, 1), leaf, True)


class Scene:
    """Ada's group, as she, Bob and the server have it."""

    def __init__(self) -> None:
        self.known, self.served = KnownDevices(), KnownDevices()
        self.policy = group_policy(self.known, RFC_SUITES)
        self.ada, self.bob, self.eve, self.fay = (Person(self.known) for _ in range(4))
        for person in (self.ada, self.bob, self.eve):  # fay's device is not there for the server
            self.served.add(person.account.hex, 1, person.identity.public)
        self.group = self.ada.group(self.policy, uuid4().bytes, self.ada.account)
        founding = check_founding(self.group.group_info(), DeviceAddress(self.ada.account, 1), self.policy, NOW)
        self.stored = StoredGroup(0, 0, founding.parts)

    def commit(self, *proposals: Add | Remove, by: Group | None = None, now: int = NOW) -> Handshake:
        self.bundle = (by or self.group).commit(proposals, now=now, tree_in_welcome=False, group_info=True)
        return handshake(self.bundle)

    def check(self, sent: Handshake, person: Person, leaf: int | None) -> Change:
        return check_handshake(self.stored, sent, person.caller(leaf), group_policy(self.served, RFC_SUITES), NOW)

    def accept(self, change: Change) -> None:
        parts = {name: data for name, data in self.stored.parts.items() if name not in change.deleted}
        self.stored = StoredGroup(
            self.stored.epoch + (change.content is GroupContent.COMMIT),
            self.stored.version + 1,
            {**parts, **change.put},
        )

    def add_bob(self) -> Group:
        package = self.bob.key_package()
        sent = self.commit(Add(package.key_package))
        change = self.check(sent, self.ada, 0)
        self.accept(change)
        self.group.apply(self.bundle)
        assert self.bundle.welcome is not None
        store = KeyPackageStore()
        store.add(package)
        return store.join(self.bundle.welcome, RNG, now=NOW, policy=self.policy, ratchet_tree=change.tree)


def handshake(bundle: CommitBundle) -> Handshake:
    return Handshake(uuid4(), bundle.message, bundle.group_info, bundle.welcome)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def test_a_new_group_has_its_creator_as_owner_and_only_member(scene: Scene) -> None:
    ada, bob = scene.ada, scene.bob
    creator = DeviceAddress(ada.account, 1)
    for group in (
        ada.group(scene.policy, uuid4().bytes, bob.account),
        ada.group(scene.policy, bytes(16), ada.account),
        ada.group(scene.policy, b"short", ada.account),
        bob.group(scene.policy, uuid4().bytes, bob.account),
    ):
        with pytest.raises(BadGroupInfo):
            check_founding(group.group_info(), creator, scene.policy, NOW)
    with pytest.raises(BadGroupInfo):
        check_founding(scene.group.group_info(with_tree=False), creator, scene.policy, NOW)
    with pytest.raises(BadGroupInfo):
        check_founding(scene.group.group_info()[:-1] + b"x", creator, scene.policy, NOW)


def test_what_a_commit_does_is_read_from_it() -> None:
    scene = Scene()
    sent = scene.commit(Add(scene.bob.key_package().key_package))
    assert group_and_epoch(sent.message) == (UUID(bytes=scene.group.group_id), 0, GroupContent.COMMIT)
    assert named_accounts(sent.message) >= {scene.bob.account}
    change = scene.check(sent, scene.ada, 0)
    [bob] = change.added
    assert (bob.device, bob.leaf, change.removed) == (DeviceAddress(scene.bob.account, 1), 1, ())
    assert bob.secrets is not None
    assert change.roles == {scene.ada.account: GroupRole.OWNER}
    assert change.tree == scene.bundle.ratchet_tree


def test_a_proposal_waits_for_a_commit() -> None:
    scene = Scene()
    bobs = scene.add_bob()
    leaving = Handshake(uuid4(), bobs.propose_remove(bobs.own_leaf))
    change = scene.check(leaving, scene.bob, 1)
    assert (change.content, change.added, change.removed) == (GroupContent.PROPOSAL, (), ())
    scene.accept(change)
    scene.group.process(leaving.message, now=NOW)
    change = scene.check(scene.commit(), scene.ada, 0)
    assert [each.device.account_id for each in change.removed] == [scene.bob.account]


REFUSED: list[tuple[str, type[DomainError], Callable[[Scene], Handshake]]] = [
    ("no message", BadHandshake, lambda s: replace(s.commit(), message=b"none")),
    ("a changed byte", BadHandshake, lambda s: flipped(s.commit())),
    (
        "the Welcome is missing",
        BadWelcome,
        lambda s: replace(added(s), welcome=None),
    ),
    ("a Welcome for nobody", BadWelcome, lambda s: replace(s.commit(), welcome=welcome_for_eve(s))),
    (
        "another's Welcome",
        BadWelcome,
        lambda s: replace(added(s), welcome=welcome_for_eve(s)),
    ),
    ("no GroupInfo", BadGroupInfo, lambda s: replace(s.commit(), group_info=None)),
    (
        "the GroupInfo of before",
        BadGroupInfo,
        lambda s: replace(s.commit(), group_info=former_info(s)),
    ),
    ("an unknown device", BadHandshake, lambda s: s.commit(Add(s.fay.key_package().key_package))),
    (
        "roles of what is no account",
        BadHandshake,
        lambda s: given(s, Roles({s.ada.account.hex.encode(): Role.OWNER, b"nobody": Role.ADMIN}).extension()),
    ),
    ("roles that cannot be read", BadHandshake, lambda s: given(s, Extension(ExtensionType.ROLES, b"none"))),
    (
        "a clock a year ahead",
        BadHandshake,
        lambda s: s.commit(Add(s.eve.key_package(NOW + YEAR).key_package), now=NOW + YEAR),
    ),
]


def submit(scene: Scene, sent: Handshake) -> Change:
    named_accounts(sent.message)
    return scene.check(sent, scene.ada, 0)


def added(scene: Scene) -> Handshake:
    return scene.commit(Add(scene.eve.key_package().key_package))


def given(scene: Scene, roles: Extension) -> Handshake:
    """A commit of the owner, of a client without rules, that changes the roles."""
    lenient = Group.restore(scene.group.serialize(), RNG, replace(scene.policy, authorization=AnyMember()))
    kept = [each for each in lenient.extensions if each.extension_type != roles.extension_type]
    bundle = lenient.commit([GroupContextExtensions((*kept, roles))], now=NOW, tree_in_welcome=False, group_info=True)
    return handshake(bundle)


def flipped(sent: Handshake) -> Handshake:
    message = bytearray(sent.message)
    message[len(message) // 2] ^= 1
    return replace(sent, message=bytes(message))


def former_info(scene: Scene) -> bytes:
    return scene.group.group_info(with_tree=False)


def welcome_for_eve(scene: Scene) -> bytes:
    package = Add(scene.eve.key_package().key_package)
    welcome = scene.group.commit([package], now=NOW, tree_in_welcome=False).welcome
    assert welcome is not None
    return welcome


@pytest.mark.parametrize(("error", "make"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_no_member_would_accept_is_refused(
    scene: Scene, error: type[DomainError], make: Callable[[Scene], Handshake]
) -> None:
    sent = make(scene)
    with pytest.raises(error):
        submit(scene, sent)


def test_the_sender_is_the_callers_device() -> None:
    scene = Scene()
    bobs = scene.add_bob()
    with pytest.raises(NotTheSender):
        scene.check(scene.commit(by=bobs), scene.ada, 0)
    with pytest.raises(DeviceNotInGroup):
        scene.check(scene.commit(by=bobs), scene.ada, None)
    with pytest.raises(NotTheSender):
        scene.check(Handshake(uuid4(), bobs.propose_remove(1)), scene.ada, 0)


def test_a_role_does_not_go_further_than_it_says() -> None:
    scene = Scene()
    bobs = scene.add_bob()
    lenient = Group.restore(bobs.serialize(), RNG, replace(scene.policy, authorization=AnyMember()))
    with pytest.raises(NotAllowedInGroup):
        scene.check(scene.commit(Remove(0), by=lenient), scene.bob, 1)


def test_an_encrypted_message_is_to_its_group() -> None:
    scene = Scene()
    id = UUID(bytes=scene.group.group_id)
    assert epoch_of_message(scene.group.encrypt(b"hello"), id) == 0
    for message, group_id in ((scene.group.encrypt(b"hello"), uuid4()), (scene.commit().message, id), (b"none", id)):
        with pytest.raises(BadGroupMessage):
            epoch_of_message(message, group_id)
    with pytest.raises(BadHandshake):
        group_and_epoch(scene.group.encrypt(b"hello"))


def test_what_a_member_commits_to_is_read_from_an_encrypted_message() -> None:
    scene, commitment = Scene(), bytes(range(32))
    assert commitment_of_group_message(scene.group.encrypt(b"hello", commitment)) == commitment
    for message in (scene.group.encrypt(b"hello"), scene.group.encrypt(b"hello", bytes(31)), scene.commit().message):
        assert commitment_of_group_message(message) is None
    assert commitment_of_group_message(b"none") is None
