"""Pre-shared keys, and groups that continue other groups (RFC 9420 sections 8.4, 11.2 and 11.3)."""

from dataclasses import replace

import pytest

from crypto.errors import CryptoError
from crypto.mls import (
    Add,
    CipherSuite,
    CommitBundle,
    Extension,
    ExternalSender,
    Group,
    GroupInactive,
    InvalidCommit,
    InvalidInput,
    InvalidProposal,
    InvalidWelcome,
    KeyPackageBundle,
    MissingPsk,
    PreSharedKey,
    Psks,
    ReInit,
    Remove,
    external_senders_extension,
)
from crypto.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage
from tests.unit.crypto.mls.party import (
    LIFETIME,
    NOW,
    OPEN,
    Person,
    assert_conversation,
    follow,
    gather,
    package,
    people,
    settle,
)

OTHER_SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256


def test_external_psks_by_value_and_by_reference() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    alice, bob = groups
    psks = Psks({b"one": b"secret one", b"two": b"secret two"})
    proposal, bundle = bob.propose_psk(b"one"), persons[2].bundle()
    alice.process(proposal, now=NOW)
    commit = alice.commit([alice.psk(b"two"), Add(package(bundle))], now=NOW, psks=psks)
    with pytest.raises(MissingPsk):
        bob.process(commit.message, now=NOW)
    with pytest.raises(MissingPsk):
        bob.process(commit.message, now=NOW, psks=Psks({b"one": b"secret one"}))
    with pytest.raises(InvalidCommit):
        bob.process(commit.message, now=NOW, psks=Psks({b"one": b"secret two", b"two": b"secret one"}))
    follow(bob, commit.message, psks=psks)
    alice.apply(commit)
    assert commit.welcome is not None
    with pytest.raises(MissingPsk):
        persons[2].join(commit.welcome, bundle)
    carol = Group.join(commit.welcome, bundle, persons[2].randomness, now=NOW, psks=psks, policy=OPEN)
    assert_conversation([alice, bob, carol])


def test_the_resumption_psk_of_an_earlier_epoch_or_another_group() -> None:
    persons = people(2)
    groups, others = gather(persons), gather(persons)
    alice, bob = groups
    settle(groups, bob, bob.commit(now=NOW))
    settle(groups, alice, alice.commit([alice.resumption(b"group", 1)], now=NOW))
    foreign = alice.resumption(b"elsewhere", 1)
    psks = Psks(resumption={(b"elsewhere", 1): others[0].resumption_psk()})
    with pytest.raises(MissingPsk):
        alice.commit([foreign], now=NOW)
    commit = alice.commit([foreign], now=NOW, psks=psks)
    with pytest.raises(MissingPsk):
        bob.process(commit.message, now=NOW)
    follow(bob, commit.message, psks=psks)
    alice.apply(commit)
    assert_conversation(groups)


def test_what_makes_a_psk_proposal_invalid() -> None:
    alice, _ = gather(people(2))
    nonce = bytes(32)
    twice = [alice.psk(b"one"), alice.psk(b"one")]
    short = PreSharedKey(ExternalPskId(b"one", nonce[1:]))
    for usage in (ResumptionUsage.REINIT, ResumptionUsage.BRANCH):
        linked = PreSharedKey(ResumptionPskId(usage, b"group", 1, nonce))
        with pytest.raises(InvalidProposal):
            alice.commit([linked], now=NOW)
    for proposals in (twice, [short]):
        with pytest.raises(InvalidProposal):
            alice.commit(proposals, now=NOW, psks=Psks({b"one": b"secret"}))


def test_old_resumption_psks_are_forgotten() -> None:
    groups = gather(people(2))
    alice, bob = groups
    first = alice.resumption_psk()
    for _ in range(9):
        settle(groups, bob, bob.commit(now=NOW))
    with pytest.raises(InvalidInput):
        alice.resumption_psk(1)
    assert first not in alice.serialize()
    assert alice.resumption_psk(2) == bob.resumption_psk(2)


def test_a_branch_of_some_members() -> None:
    persons = people(4)
    groups = gather(persons)
    bundles = [persons[n].bundle() for n in (1, 3)]
    branch, commit = groups[0].branch(b"branch", [package(b) for b in bundles], LIFETIME, now=NOW)
    assert (branch.epoch, branch.group_id) == (1, b"branch")
    assert commit.welcome is not None
    joined = [branch]
    for number, bundle in zip((1, 3), bundles, strict=True):
        with pytest.raises(MissingPsk):
            persons[number].join(commit.welcome, bundle)
        joined.append(_join_linked(persons[number], commit, bundle, groups[number]))
    assert_conversation(joined)


def test_a_branch_has_members_of_its_group_only() -> None:
    groups = gather(people(3))
    with pytest.raises(InvalidWelcome):
        groups[0].branch(b"branch", [package(Person("stranger").bundle())], LIFETIME, now=NOW)


def test_a_branch_is_refused_without_the_group_it_comes_from() -> None:
    persons = people(2)
    groups = gather(persons)
    bundle = persons[1].bundle()
    _, commit = groups[0].branch(b"branch", [package(bundle)], LIFETIME, now=NOW)
    assert commit.welcome is not None
    psks = Psks(resumption={(b"group", 1): groups[1].resumption_psk()})
    with pytest.raises(InvalidWelcome):
        Group.join(commit.welcome, bundle, persons[1].randomness, now=NOW, psks=psks, policy=OPEN)


def test_a_group_starts_over_with_another_suite() -> None:
    persons = people(3)
    groups = gather(persons)
    service = Person("service", OTHER_SUITE)
    extensions = (external_senders_extension([ExternalSender(service.signer.public_key, service.credential)]),)
    message = groups[0].propose_reinit(b"new group", OTHER_SUITE, extensions)
    for group in groups[1:]:
        group.process(message, now=NOW)
    commit = groups[1].commit(now=NOW)
    assert groups[1].apply(commit).reinit is not None
    for group in (groups[0], groups[2]):
        follow(group, commit.message)
    for group in groups:
        assert not group.active
        with pytest.raises(GroupInactive):
            group.encrypt(b"too late")
        with pytest.raises(GroupInactive):
            group.commit(now=NOW)

    anew = [_again(person) for person in persons]
    bundles = {n: anew[n].bundle() for n in (0, 1)}
    stored = Group.restore(groups[2].serialize(), persons[2].randomness, OPEN)
    group, commit = stored.reinitialize(
        [package(b) for b in bundles.values()], anew[2].credential, anew[2].signer, LIFETIME, now=NOW
    )
    joined = [_join_linked(anew[n], commit, bundle, groups[n]) for n, bundle in bundles.items()]
    assert (group.suite, group.group_id, group.extensions) == (OTHER_SUITE, b"new group", extensions)
    assert_conversation([group, *joined])


def test_starting_over_takes_everybody_along() -> None:
    persons = people(3)
    groups = gather(persons)
    groups[0].apply(groups[0].commit([ReInit.of(b"new", OTHER_SUITE)], now=NOW))
    anew = [_again(person) for person in persons]
    some = [package(anew[1].bundle())]
    with pytest.raises(InvalidWelcome):
        groups[0].reinitialize(some, anew[0].credential, anew[0].signer, LIFETIME, now=NOW)
    with pytest.raises(InvalidInput):
        groups[1].reinitialize(some, anew[0].credential, anew[0].signer, LIFETIME, now=NOW)


def test_the_new_group_must_be_the_one_agreed_on() -> None:
    persons = people(2)
    groups = gather(persons)
    others = gather(persons)
    for pair, group_id in ((groups, b"agreed"), (others, b"other")):
        commit = pair[0].commit([ReInit.of(group_id, OTHER_SUITE)], now=NOW)
        pair[0].apply(commit)
        follow(pair[1], commit.message)
    anew = [_again(person) for person in persons]
    bundle = anew[1].bundle()
    _, commit = groups[0].reinitialize([package(bundle)], anew[0].credential, anew[0].signer, LIFETIME, now=NOW)
    with pytest.raises(CryptoError):
        _join_linked(anew[1], commit, bundle, others[1])
    _join_linked(anew[1], commit, bundle, groups[1])


def test_a_reinit_is_committed_alone_and_never_lowers_the_version() -> None:
    alice, _ = gather(people(2))
    reinit = ReInit.of(b"new", OTHER_SUITE)
    with pytest.raises(InvalidProposal):
        alice.commit([reinit, Remove(1)], now=NOW)
    with pytest.raises(InvalidProposal):
        alice.commit([ReInit(b"new", 0, OTHER_SUITE, (Extension(1, b""),))], now=NOW)


def _again(person: Person) -> Person:
    """The same person with a key for the other suite."""
    return Person(person.name, OTHER_SUITE)


def _join_linked(person: Person, commit: CommitBundle, bundle: KeyPackageBundle, previous: Group) -> Group:
    assert commit.welcome is not None
    return Group.join(commit.welcome, bundle, person.randomness, now=NOW, previous=previous, policy=OPEN)


def test_a_group_closed_by_a_reinit_stays_closed() -> None:
    """A member that goes on committing, against section 11.2, takes nobody along."""
    persons = people(3)
    groups = gather(persons)
    commit = groups[0].commit([ReInit.of(b"new", OTHER_SUITE)], now=NOW)
    settled = [groups[0].apply(commit), *(follow(group, commit.message) for group in groups[1:])]
    assert len(settled) == 3
    dishonest = Group.restore(groups[1].serialize(), persons[1].randomness, OPEN)
    dishonest._state = replace(dishonest._state, reinit=None)
    further = dishonest.commit(now=NOW)
    messages = [further.message, dishonest.propose_remove(2), Person("eve").found().encrypt(b"hello")]
    for message in messages:
        before = groups[2].serialize()
        with pytest.raises(CryptoError):
            groups[2].process(message, now=NOW)
        assert groups[2].serialize() == before
        assert not groups[2].active
    with pytest.raises(GroupInactive):
        groups[2].process(further.message, now=NOW)
    with pytest.raises(GroupInactive):
        groups[2].apply(further)


def test_an_unlinked_group_is_not_taken_for_the_successor_of_another() -> None:
    """The server cannot answer a re-initialisation, or a branch, with a group that knows nothing of the old one."""
    persons = people(2)
    groups = gather(persons)
    closing = groups[0].commit([ReInit.of(b"new", groups[0].suite)], now=NOW)
    groups[0].apply(closing)
    follow(groups[1], closing.message)
    unlinked, bundle = persons[0].found(b"new"), persons[1].bundle()
    commit = unlinked.commit([Add(package(bundle))], now=NOW)
    with pytest.raises(InvalidWelcome, match="neither"):
        _join_linked(persons[1], commit, bundle, groups[1])
    assert persons[1].join(commit.welcome, bundle).group_id == b"new", "asked for as a new group, it is one"
