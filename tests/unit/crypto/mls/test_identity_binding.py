"""The server, which hands out KeyPackages and relays everything, tries to get a member of its own into a group."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.errors import CryptoError, DecodeError, UnsupportedStateVersion
from crypto.identity import IdentityKey, SafetyNumber
from crypto.mls import (
    Add,
    BasicCredential,
    CipherSuite,
    DecryptionFailed,
    Group,
    IdentityCredential,
    InvalidCredential,
    InvalidInput,
    InvalidLeafNode,
    KeyPackage,
    KnownDevices,
    Lifetime,
    PublicGroup,
    SignatureKeyPair,
    X509Credential,
)
from crypto.mls.cipher_suite import suite_crypto
from crypto.transparency import IdentityEntry
from tests.unit.crypto.mls.devices import Device, acquainted, assemble
from tests.unit.crypto.mls.party import (
    LIFETIME,
    NOW,
    OPEN,
    assert_agreement,
    assert_conversation,
    follow,
    package,
    settle,
)

DAY = 24 * 3600


def signed_by(package: KeyPackage, signer: SignatureKeyPair, **leaf: object) -> KeyPackage:
    """``package`` as whoever has ``signer`` would make it."""
    crypto = suite_crypto(signer.suite)
    changed = replace(package.leaf_node, signature_key=signer.public_key, **leaf)  # type: ignore[arg-type]
    unsigned = replace(package, leaf_node=changed.signed(crypto, signer.key))
    return replace(unsigned, signature=crypto.sign_with_label(signer.key, "KeyPackageTBS", unsigned.content))


def test_devices_who_know_each_other_have_a_group() -> None:
    groups = assemble(acquainted("alice", "bob", "carol"))
    assert_agreement(groups)
    settle(groups, groups[1], groups[1].commit(now=NOW))
    assert_conversation(groups)
    members = [IdentityCredential.of(member.credential) for member in groups[2].members]
    assert [(member.user, member.device) for member in members] == [("alice", 1), ("bob", 1), ("carol", 1)]


@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: f"suite{int(suite)}")
def test_an_identity_vouches_for_signature_keys_of_every_suite(suite: CipherSuite) -> None:
    alice, bob = Device("alice", suite=suite), Device("bob", suite=suite)
    alice.knows(bob)
    bob.knows(alice)
    assert_conversation(assemble([alice, bob]))


def swapped() -> dict[str, Callable[[Device, Device], KeyPackage]]:
    """What the server, as ``evil``, can hand out as the KeyPackage of ``bob``."""
    return {
        "its own, under Bob's name": lambda evil, bob: package(evil.bundle()),
        "its own key with Bob's credential": lambda evil, bob: signed_by(package(bob.bundle()), evil.signer),
        "Bob's identity key, but the server's statement": lambda evil, bob: signed_by(
            package(bob.bundle()),
            evil.signer,
            credential=replace(evil.statement, identity=bob.identity.public).credential(),
        ),
        "Bob's statement for another device": lambda evil, bob: signed_by(
            package(bob.bundle()), bob.signer, credential=replace(bob.statement, device=2).credential()
        ),
        "a bare name": lambda evil, bob: signed_by(
            package(bob.bundle()), evil.signer, credential=BasicCredential(b"bob")
        ),
        "a certificate": lambda evil, bob: signed_by(
            package(bob.bundle()), evil.signer, credential=X509Credential((b"certificate",))
        ),
        "Bob's init key replaced": lambda evil, bob: replace(
            package(bob.bundle()), init_key=package(evil.bundle()).init_key
        ),
        "Bob's leaf in a KeyPackage of the server's": lambda evil, bob: replace(
            package(evil.bundle()), leaf_node=package(bob.bundle()).leaf_node
        ),
    }


@pytest.mark.parametrize("name", swapped())
def test_a_swapped_key_package(name: str) -> None:
    alice, bob = acquainted("alice", "bob")
    evil = Device("bob", seed="the server's")
    group = alice.found()
    before = group.serialize()
    with pytest.raises(CryptoError):
        group.commit([Add(swapped()[name](evil, bob))], now=NOW)
    with pytest.raises(CryptoError):
        group.propose_add(swapped()[name](evil, bob), now=NOW)
    assert group.serialize() == before
    group.apply(group.commit([Add(package(bob.bundle()))], now=NOW))


def test_a_ghost_device_of_a_member() -> None:
    alice, bob = acquainted("alice", "bob")
    ghost = Device("bob", 7)
    with pytest.raises(InvalidCredential, match="not known"):
        alice.found().commit([Add(package(ghost.bundle()))], now=NOW)
    alice.knows(ghost)  # a deceived member adds it: the others still see it
    groups = assemble([alice, bob])
    commit = groups[0].commit([Add(package(ghost.bundle()))], now=NOW)
    with pytest.raises(InvalidCredential, match="not known"):
        groups[1].process(commit.message, now=NOW)


@pytest.mark.parametrize("resync", [None, 1])
def test_a_ghost_that_joins_by_itself(resync: int | None) -> None:
    """Even where external commits are allowed, they come from devices that are known."""
    devices = acquainted("alice", "bob")
    for device in devices:
        device.allow(allow_external_commits=True, allow_resync=True)
    groups = assemble(devices)
    ghost = Device("bob", 1 if resync else 7, seed="the server's")
    joined = Group.external_join(
        groups[0].group_info(),
        devices[1].statement.credential() if resync else ghost.statement.credential(),
        ghost.signer,
        ghost.randomness,
        now=NOW,
        resync=resync,
        policy=OPEN,
    )
    with pytest.raises(InvalidCredential):
        groups[0].process(joined.message, now=NOW)


def test_a_group_of_the_servers_making_with_a_members_key_package_in_it() -> None:
    """A KeyPackage's leaf belongs to no group yet, so the server can show Alice as a member of a group of its own. But
    the one who invites has to be a member too."""
    alice, bob = acquainted("alice", "bob")
    evil = Device("evil")
    evil.policy = OPEN
    group, bundle = evil.found(b"alice and bob"), bob.bundle()
    commit = group.commit([Add(package(alice.bundle())), Add(package(bundle))], now=NOW)
    with pytest.raises(InvalidCredential):
        bob.join(commit.welcome, bundle)
    assert commit.welcome is not None
    assert len(Group.join(commit.welcome, bundle, bob.randomness, now=NOW, policy=OPEN).members) == 3


def test_a_member_does_not_become_another() -> None:
    alice, bob, carol = devices = acquainted("alice", "bob", "carol")
    groups = assemble(devices)
    signer = SignatureKeyPair.generate(alice.suite, alice.randomness)
    elsewhere = IdentityCredential.issue(alice.identity, "alice", 2, signer.public_key, LIFETIME, alice.randomness)
    for other in (bob.statement, elsewhere):
        with pytest.raises((InvalidLeafNode, InvalidCredential)):
            groups[0].commit(now=NOW, credential=other.credential(), signer=signer)
    assert carol.known.find("alice", 1) is not None
    assert_conversation(groups)


def test_a_split_view_of_identities() -> None:
    """The server shows Alice one key of Carol and Bob another. Whoever adds Carol, the other refuses."""
    alice, bob = acquainted("alice", "bob")
    carol, evil = Device("carol"), Device("carol", seed="the server's")
    alice.knows(evil)
    bob.knows(carol)
    groups = assemble([alice, bob])
    with pytest.raises(InvalidCredential, match="another identity key"):
        groups[1].process(groups[0].commit([Add(package(evil.bundle()))], now=NOW).message, now=NOW)
    with pytest.raises(InvalidCredential, match="another identity key"):
        groups[0].process(groups[1].commit([Add(package(carol.bundle()))], now=NOW).message, now=NOW)


def test_a_split_view_of_the_group() -> None:
    """The server shows each half another commit. The halves go on apart and cannot be joined again unnoticed: their
    messages do not open, and their authenticators differ."""
    devices = acquainted("alice", "bob", "carol", "dave")
    alice, bob, carol, dave = groups = assemble(devices)
    one, other = alice.commit(now=NOW), carol.commit(now=NOW)
    alice.apply(one)
    follow(bob, one.message)
    carol.apply(other)
    follow(dave, other.message)
    assert alice.epoch == carol.epoch
    assert alice.epoch_authenticator != carol.epoch_authenticator
    for speaker, listener in ((alice, dave), (carol, bob)):
        with pytest.raises(DecryptionFailed):
            listener.process(speaker.encrypt(b"hello"), now=NOW)
        with pytest.raises(CryptoError):
            listener.process(speaker.commit(now=NOW).message, now=NOW)
    assert len(groups) == 4


def test_a_stolen_key_with_its_old_credential_is_refused_by_who_has_seen_the_new_one() -> None:
    alice, bob = acquainted("alice", "bob")
    stolen, old = bob.signer, bob.statement
    offer = signed_by(package(bob.bundle()), stolen, credential=old.credential())
    bob.signer = SignatureKeyPair.generate(bob.suite, bob.randomness)
    bob.statement = bob.issue(bob.signer, generation=2, oldest=2)
    group = alice.found()
    group.commit([Add(offer)], now=NOW)  # Alice has not heard of it yet, see the next test
    alice.known.observe(bob.statement.credential(), bob.signer.public_key)
    with pytest.raises(InvalidCredential, match="given up"):
        group.commit([Add(offer)], now=NOW)
    group.apply(group.commit([Add(package(bob.bundle()))], now=NOW))


def test_a_credential_is_judged_again_when_the_proposal_that_brought_it_is_committed() -> None:
    """Carol's stolen key was proposed before her newer credential was seen, and is committed after that."""
    devices = acquainted("alice", "bob", "carol")
    alice, bob, carol = devices
    groups = assemble([alice, bob])
    offer = package(carol.bundle())
    proposal = groups[1].propose_add(offer, now=NOW)
    public = PublicGroup.follow(groups[0].group_info(), now=NOW, policy=alice.policy)
    for follower in (groups[0], public):
        follower.process(proposal, now=NOW)
    foreign = groups[1].commit(now=NOW).message
    signer = SignatureKeyPair.generate(carol.suite, carol.randomness)
    newer = carol.issue(signer, generation=2, oldest=2)
    alice.known.observe(newer.credential(), signer.public_key)
    for follower in (groups[0], public):
        with pytest.raises(InvalidCredential, match="given up"):
            follower.process(foreign, now=NOW)
    own = groups[0].commit(now=NOW)
    groups[0].apply(own)
    assert len(groups[0].members) == 2, "the proposal keeps nobody from committing and is left out"


def test_a_stolen_key_with_its_old_credential_does_not_outlive_it() -> None:
    alice, bob = acquainted("alice", "bob")
    short = bob.issue(bob.signer, lifetime=Lifetime(NOW - DAY, NOW + DAY))
    group = alice.found()
    for later in (NOW + 2 * DAY, NOW - 2 * DAY):
        fresh = Lifetime(later - DAY, later + DAY)
        offer = signed_by(package(bob.bundle(short)), bob.signer, lifetime=fresh)
        with pytest.raises(InvalidCredential, match="at this time"):
            group.commit([Add(offer)], now=later)
    group.apply(group.commit([Add(package(bob.bundle(short)))], now=NOW))


def test_nobody_goes_back_to_an_earlier_generation() -> None:
    devices = acquainted("alice", "bob")
    alice, groups = devices[0], assemble(devices)
    before, signer = alice.statement, SignatureKeyPair.generate(alice.suite, alice.randomness)
    after = alice.issue(signer, generation=2)
    settle(groups, groups[0], groups[0].commit(now=NOW, credential=after.credential(), signer=signer))
    assert IdentityCredential.of(groups[1].members[0].credential).generation == 2
    with pytest.raises(InvalidLeafNode, match="successor"):
        groups[0].commit(now=NOW, credential=before.credential(), signer=alice.signer)
    with pytest.raises(InvalidLeafNode, match="successor"):
        groups[0].propose_update(now=NOW, credential=before.credential(), signer=alice.signer)


def test_every_bit_of_a_credential_is_vouched_for() -> None:
    alice = Device("alice")
    encoded = alice.statement.credential().identity
    assert IdentityCredential.of(BasicCredential(encoded)) == alice.statement
    for position in range(8 * len(encoded)):
        changed = bytearray(encoded)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidCredential):
            alice.policy.authentication.validate(BasicCredential(bytes(changed)), alice.signer.public_key, NOW)
    for wrong in (encoded[:-1], encoded + b"\0", b""):
        with pytest.raises(InvalidCredential):
            IdentityCredential.of(BasicCredential(wrong))


def test_what_cannot_be_issued() -> None:
    alice = Device("alice")
    for user, oldest in (("a" * 257, 0), ("alice", 2), ("\ud800", 0)):
        with pytest.raises(InvalidInput):
            IdentityCredential.issue(
                alice.identity, user, 1, alice.signer.public_key, LIFETIME, alice.randomness, oldest=oldest
            )


def test_what_cannot_be_known() -> None:
    known, identity = KnownDevices(), Device("alice").identity.public
    for user, device in (("a" * 257, 1), ("\ud800", 1), ("alice", -1), ("alice", 1 << 32)):
        with pytest.raises(InvalidInput):
            known.add(user, device, identity)
    assert not list(known)


def test_safety_numbers_and_the_log_name_the_key_that_groups_rely_on() -> None:
    """What people compare, and what the log records, is the key in the members' credentials."""
    devices = acquainted("alice", "bob")
    alice, bob = devices
    member = IdentityCredential.of(assemble(devices)[0].members[1].credential)

    def number(key: IdentityKey) -> str:
        return SafetyNumber.of(b"alice", [alice.identity.public], b"bob", [key]).digits

    assert number(member.identity) == number(bob.identity.public)
    evil = Device("bob", seed="the server's")
    assert number(evil.identity.public) != number(member.identity)
    logged = IdentityEntry.decode(IdentityEntry(member.user, member.device, member.identity, 0).encode())
    assert logged.identity == bob.identity.public


def test_known_devices_change_only_on_purpose() -> None:
    bob, evil = Device("bob"), Device("bob", seed="the server's")
    known = KnownDevices()
    with pytest.raises(InvalidCredential):
        known.observe(bob.statement.credential(), bob.signer.public_key)
    known.add("bob", 1, bob.identity.public)
    newer = bob.issue(bob.signer, generation=3, oldest=2)
    for credential, key in (
        (evil.statement.credential(), evil.signer.public_key),
        (newer.credential(), evil.signer.public_key),
        (replace(newer, oldest=3).credential(), bob.signer.public_key),
    ):
        with pytest.raises(InvalidCredential):
            known.observe(credential, key)
    known.observe(newer.credential(), bob.signer.public_key)
    known.observe(bob.statement.credential(), bob.signer.public_key)
    found = known.find("bob", 1)
    assert found is not None
    assert found.oldest == 2
    with pytest.raises(InvalidCredential):
        known.add("bob", 1, evil.identity.public)
    stored = KnownDevices.restore(known.serialize())
    assert dict(stored) == dict(known)
    known.remove("bob", 1)
    assert known.find("bob", 1) is None
    with pytest.raises(UnsupportedStateVersion):
        KnownDevices.restore(b"\x02" + stored.serialize()[1:])
    with pytest.raises(DecodeError):
        KnownDevices.restore(stored.serialize() + b"\0")
