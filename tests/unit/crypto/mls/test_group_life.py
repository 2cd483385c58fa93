"""What members of a group do: create, join, talk, change members and keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.mls import (
    Add,
    BasicCredential,
    Capabilities,
    CipherSuite,
    Extension,
    ExternalSender,
    Group,
    GroupContextExtensions,
    GroupInactive,
    InvalidCredential,
    InvalidLeafNode,
    InvalidProposal,
    InvalidWelcome,
    KeyPackage,
    ProposalReceived,
    ProposalsPending,
    Remove,
    RequiredCapabilities,
    SignatureKeyPair,
    WireFormat,
    X509Credential,
    external_proposal,
    external_senders_extension,
)
from crypto.mls.cipher_suite import suite_crypto
from tests.unit.crypto.mls.party import (
    NOW,
    OPEN,
    Person,
    assert_agreement,
    assert_conversation,
    follow,
    gather,
    package,
    people,
    settle,
)

BOTH_FORMATS = pytest.mark.parametrize(
    "wire_format", [WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE], ids=["public", "private"]
)


@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: f"suite{int(suite)}")
def test_a_group_in_every_cipher_suite(suite: CipherSuite) -> None:
    groups = gather(people(3, suite))
    assert_agreement(groups)
    assert_conversation(groups)
    settle(groups, groups[1], groups[1].commit(now=NOW))
    settle(groups, groups[2], groups[2].commit([Remove(1)], now=NOW))
    assert not groups[1].active
    assert_conversation([groups[0], groups[2]])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9, 17])
def test_groups_of_every_shape_and_an_update_by_each_member(size: int) -> None:
    groups = gather(people(size))
    for group in groups:
        settle(groups, group, group.commit(now=NOW))
    assert_conversation(groups)
    assert [member.leaf_index for member in groups[0].members] == list(range(size))


def test_members_added_one_by_one_by_changing_committers() -> None:
    persons = people(9)
    groups = [persons[0].found()]
    for number, person in enumerate(persons[1:]):
        bundle, committer = person.bundle(), groups[number // 2]
        commit = committer.commit([Add(package(bundle))], now=NOW, force_path=number % 2 == 0)
        settle(groups, committer, commit)
        groups.append(person.join(commit.welcome, bundle))
        assert_agreement(groups)
    assert_conversation(groups)


def test_the_tree_can_travel_apart_from_the_welcome() -> None:
    alice, bob = people(2)
    group, bundle = alice.found(), bob.bundle()
    commit = group.commit([Add(package(bundle))], now=NOW, tree_in_welcome=False)
    with pytest.raises(InvalidWelcome):
        bob.join(commit.welcome, bundle)
    joined = bob.join(commit.welcome, bundle, commit.ratchet_tree)
    group.apply(commit)
    assert commit.ratchet_tree == group.ratchet_tree()
    assert_conversation([group, joined])


def test_a_welcome_is_for_the_key_packages_it_names() -> None:
    alice, bob, carol = people(3)
    commit = alice.found().commit([Add(package(bob.bundle()))], now=NOW)
    with pytest.raises(InvalidWelcome):
        carol.join(commit.welcome, carol.bundle())


@BOTH_FORMATS
def test_proposals_by_reference(wire_format: WireFormat) -> None:
    persons = people(4)
    groups, dora = gather(persons[:3]), persons[3]
    alice, bob, carol = groups
    bundle = dora.bundle()
    messages = [
        (alice, alice.propose_add(package(bundle), now=NOW, wire_format=wire_format)),
        (bob, bob.propose_update(now=NOW, wire_format=wire_format)),
        (alice, alice.propose_group_context_extensions([], wire_format=wire_format)),
    ]
    for sender, message in messages:
        for group in groups:
            if group is not sender:
                assert isinstance(group.process(message, now=NOW), ProposalReceived)
    assert len(carol.pending_proposals) == 3
    commit = carol.commit(now=NOW, wire_format=wire_format)
    results = settle(groups, carol, commit)
    assert {(r.committer, r.added, r.updated, r.removed) for r in results} == {(2, (3,), (1,), ())}
    assert_conversation([*groups, dora.join(commit.welcome, bundle)])


def test_an_own_update_is_left_to_others_and_a_removal_to_who_stays() -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    update, leave = bob.propose_update(now=NOW), bob.propose_remove(bob.own_leaf)
    for group in (alice, carol):
        group.process(update, now=NOW)
        group.process(leave, now=NOW)
    results = settle(groups, alice, alice.commit(now=NOW))
    assert results[0].removed == (1,)
    assert results[0].updated == ()
    assert not bob.active


def test_an_own_proposal_may_come_back_from_the_server() -> None:
    groups = gather(people(2))
    alice, bob = groups
    message = alice.propose_update(now=NOW)
    alice.process(message, now=NOW)
    bob.process(message, now=NOW)
    settle(groups, bob, bob.commit(now=NOW))
    assert_conversation(groups)


def test_conflicting_proposals_do_not_stop_a_commit() -> None:
    persons = people(5)
    groups, erin = gather(persons[:4]), persons[4]
    alice, bob, carol, dora = groups
    proposals = [
        (bob, bob.propose_update(now=NOW)),
        (carol, carol.propose_remove(1)),
        (dora, dora.propose_remove(1)),
        (carol, carol.propose_add(package(erin.bundle()), now=NOW)),
        (dora, dora.propose_add(package(erin.bundle()), now=NOW)),
        (dora, dora.propose_reinit(b"other", dora.suite)),
        (bob, bob.propose_group_context_extensions([])),
        (carol, carol.propose_group_context_extensions([])),
        (carol, carol.propose_psk(b"nobody has this")),
        (carol, carol.propose_remove(0)),
    ]
    for sender, message in proposals:
        for group in groups:
            if group is not sender:
                group.process(message, now=NOW)
    result = settle(groups, alice, alice.commit(now=NOW))[0]
    assert result.removed == (1,)
    assert result.updated == ()
    assert len(result.added) == 1
    assert result.reinit is None
    assert len(alice.members) == 4


def test_nobody_stops_a_commit_with_proposals_that_do_not_go_together() -> None:
    service = Person("service")
    senders = external_senders_extension([ExternalSender(service.signer.public_key, service.credential)])
    groups = gather(people(3), extensions=[senders], force_path=True)
    alice = groups[0]
    parent_key = next(node.encryption_key for _, node in alice._state.epoch.tree.parents())
    only_basic = replace(Capabilities.default(), credentials=(1,))
    certified, basic = Person("certified"), Person("basic")
    requests = [
        _offer(certified, credential=_certificate(certified)),
        _offer(basic, capabilities=only_basic),
        _offer(Person("thief"), encryption_key=parent_key),
        _offer(Person("same name"), credential=BasicCredential(b"x")),
    ]
    messages = [
        external_proposal(alice.suite, b"group", alice.epoch, Add(package), 0, service.signer) for package in requests
    ]
    extensions = GroupContextExtensions((senders, Extension(0xF00F, b"")))
    messages.append(external_proposal(alice.suite, b"group", alice.epoch, extensions, 0, service.signer))
    for message in messages:
        for group in groups:
            group.process(message, now=NOW)
    with pytest.raises(InvalidProposal):
        alice.commit([Remove(0)], now=NOW)
    result = settle(groups, alice, alice.commit(now=NOW, admit=[p.reference for p in alice.pending_proposals]))[0]
    assert len(result.added) == 2
    assert alice.extensions == (senders,)
    assert {member.credential for member in alice.members} >= {BasicCredential(b"x"), BasicCredential(b"basic")}


def _offer(person: Person, **leaf: Any) -> KeyPackage:
    bundle, crypto = person.bundle(), suite_crypto(person.suite)
    changed = replace(bundle.key_package.leaf_node, **leaf).signed(crypto, person.signer.key)
    unsigned = replace(bundle.key_package, leaf_node=changed)
    return replace(unsigned, signature=crypto.sign_with_label(person.signer.key, "KeyPackageTBS", unsigned.content))


def _certificate(person: Person) -> X509Credential:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(person.signer.private_key)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, person.name)])
    start = datetime(2023, 1, 1, tzinfo=UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=3650)).sign(
        key, None
    )
    return X509Credential((certificate.public_bytes(Encoding.DER),))


def test_members_with_certificates() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    offer = _offer(persons[2], credential=_certificate(persons[2]))
    settle(groups, groups[0], groups[0].commit([Add(offer)], now=NOW))
    assert groups[1].members[2].credential == offer.leaf_node.credential
    stolen = _offer(Person("thief"), credential=_certificate(persons[2]))
    with pytest.raises(InvalidCredential):
        groups[0].commit([Add(stolen)], now=NOW)


def test_a_removed_member_learns_it_and_can_do_nothing_more() -> None:
    groups = gather(people(3))
    alice, bob, _ = groups
    secret = bob.export_secret("x", b"", 16)
    results = settle(groups, alice, alice.commit([Remove(1)], now=NOW))
    assert [result.self_removed for result in results] == [False, True, False]
    for attempt in (
        lambda: bob.encrypt(b"still here?"),
        lambda: bob.commit(now=NOW),
        lambda: bob.propose_remove(0),
        lambda: bob.export_secret("x", b"", 16),
        lambda: bob.group_info(),
        lambda: bob.process(alice.encrypt(b"no"), now=NOW),
    ):
        with pytest.raises(GroupInactive):
            attempt()
    assert secret not in bob.serialize()


def test_the_leaf_of_a_removed_member_is_used_again() -> None:
    persons = people(5)
    groups = gather(persons[:4])
    alice = groups[0]
    settle(groups, alice, alice.commit([Remove(1)], now=NOW))
    bundle = persons[4].bundle()
    commit = alice.commit([Add(package(bundle))], now=NOW)
    present = [groups[0], groups[2], groups[3]]
    settle(present, alice, commit)
    newcomer = persons[4].join(commit.welcome, bundle)
    assert newcomer.own_leaf == 1
    assert_conversation([*present, newcomer])


def test_the_tree_shrinks_when_its_right_half_is_empty() -> None:
    groups = gather(people(9), force_path=True)
    alice = groups[0]
    large = len(alice.ratchet_tree())
    settle(groups, alice, alice.commit([Remove(leaf) for leaf in range(3, 9)], now=NOW))
    assert len(alice.ratchet_tree()) < large / 2
    assert_conversation(groups[:3])


def test_a_path_that_does_not_reach_the_root() -> None:
    """With the left half of the tree blank, the root is on no filtered direct path: the commit secret follows from the
    last node that is (RFC 9420 sections 7.4 and 12.4.1)."""
    persons = people(6)
    groups = gather(persons[:4], force_path=True)
    committer, other = groups[2], groups[3]
    commit = committer.commit([Remove(0), Remove(1)], now=NOW)
    settle(groups, committer, commit)
    tree = committer._state.epoch.tree
    assert tree.width == 4
    assert [node for node, _ in tree.parents()] == [5]
    settle([committer, other], other, other.commit(now=NOW))
    settle([committer, other], committer, committer.commit(now=NOW))

    bundle = persons[4].bundle()
    commit = other.commit([Add(package(bundle))], now=NOW, force_path=True)
    settle([committer, other], other, commit)
    newcomer = persons[4].join(commit.welcome, bundle)
    assert newcomer.own_leaf == 0
    present = [newcomer, committer, other]
    for group in present:
        settle(present, group, group.commit(now=NOW))
    settle(present, newcomer, newcomer.commit([Remove(2), Remove(3)], now=NOW))
    assert newcomer._state.epoch.tree.width == 1
    bundle = persons[5].bundle()
    commit = newcomer.commit([Add(package(bundle))], now=NOW)
    newcomer.apply(commit)
    assert_conversation([newcomer, persons[5].join(commit.welcome, bundle)])


def test_who_loses_a_race_follows_the_winner() -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    losing, winning = alice.commit(now=NOW), bob.commit(now=NOW)
    for group in (alice, carol):
        assert follow(group, winning.message).committer == 1
    bob.apply(winning)
    assert_conversation(groups)
    before = alice.serialize()
    with pytest.raises(Exception, match="another epoch"):
        alice.apply(losing)
    assert alice.serialize() == before


def test_a_commit_can_change_the_committers_credential_and_key() -> None:
    class AnySuccessor(type(Person("x").policy.authentication)):  # type: ignore[misc]
        def is_successor(self, old: object, new: object) -> bool:
            return True

    persons = people(3)
    for person in persons:
        person.policy = replace(person.policy, authentication=AnySuccessor())
    groups = gather(persons)
    alice = groups[0]
    signer = SignatureKeyPair.generate(alice.suite, persons[0].randomness)
    commit = alice.commit(now=NOW, credential=BasicCredential(b"alice, married"), signer=signer)
    settle(groups, alice, commit)
    assert groups[2].members[0].credential == BasicCredential(b"alice, married")
    assert groups[2].members[0].signature_key == signer.public_key
    assert_conversation(groups)
    message = alice.propose_update(now=NOW, credential=BasicCredential(b"alice again"))
    for group in groups[1:]:
        group.process(message, now=NOW)
    settle(groups, groups[1], groups[1].commit(now=NOW))
    assert groups[0].members[0].credential == BasicCredential(b"alice again")
    assert_conversation(groups)


def test_a_committer_may_learn_an_extension_with_the_commit_that_brings_it() -> None:
    learnt = Capabilities.default(extensions=[0xF001])
    extensions = (Extension(0xF001, b""),)
    groups = gather(people(2))
    settle(groups, groups[1], groups[1].commit(now=NOW, capabilities=learnt))
    with pytest.raises(InvalidProposal):
        groups[1].commit([GroupContextExtensions(extensions)], now=NOW)
    commit = groups[0].commit([GroupContextExtensions(extensions)], now=NOW, capabilities=learnt)
    settle(groups, groups[0], commit)
    assert groups[1].extensions == extensions


def test_nobody_becomes_somebody_else() -> None:
    groups = gather(people(2))
    with pytest.raises(InvalidLeafNode):
        groups[0].commit(now=NOW, credential=BasicCredential(b"person 1"))
    with pytest.raises(InvalidLeafNode):
        groups[0].propose_update(now=NOW, credential=BasicCredential(b"person 1"))
    assert_conversation(groups)


def test_extensions_of_the_group_are_agreed_on() -> None:
    capabilities = Capabilities.default(extensions=[0xF001])
    alice, bob = people(2)
    group = alice.found(capabilities=capabilities)
    bundle = bob.bundle(capabilities=capabilities)
    wanted = (Extension(0xF001, b"room name"), RequiredCapabilities(extension_types=(0xF001,)).extension())
    commit = group.commit([Add(package(bundle)), GroupContextExtensions(wanted)], now=NOW)
    group.apply(commit)
    joined = bob.join(commit.welcome, bundle)
    assert joined.extensions == wanted
    assert_conversation([group, joined])


def test_nothing_is_said_while_proposals_wait() -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    bob.process(alice.propose_remove(2), now=NOW)
    with pytest.raises(ProposalsPending):
        bob.encrypt(b"can carol still read this?")
    assert bob.decrypt(carol.encrypt(b"she could not know")).data == b"she could not know"


def test_late_messages_are_read_for_some_epochs() -> None:
    groups = gather(people(2))
    alice, bob = groups
    late = [alice.encrypt(b"from epoch %d" % alice.epoch)]
    for _ in range(4):
        settle(groups, bob, bob.commit(now=NOW))
        late.append(alice.encrypt(b"from epoch %d" % alice.epoch))
    for message in late[1:]:
        heard = bob.decrypt(message)
        assert heard.data == b"from epoch %d" % heard.epoch
    with pytest.raises(Exception, match="gone"):
        bob.decrypt(late[0])


def test_a_bundle_survives_a_restart() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    alice, bob = groups
    bundle = persons[2].bundle()
    commit = alice.commit([Add(package(bundle))], now=NOW, group_info=True)
    stored = type(commit).restore(commit.serialize(), OPEN)
    assert stored.serialize() == commit.serialize()
    assert stored.group_info == commit.group_info
    alice = Group.restore(alice.serialize(), persons[0].randomness, OPEN)
    assert alice.apply(stored).added == (2,)
    follow(bob, stored.message)
    assert_conversation([alice, bob, persons[2].join(stored.welcome, bundle)])
