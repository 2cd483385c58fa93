"""A commit is shown before it is applied; what a delivery service repeats has types of its own."""

import pytest

from crypto.errors import CryptoError
from crypto.mls import (
    Add,
    ApplicationMessage,
    Extension,
    ExtensionType,
    FutureEpoch,
    Group,
    GroupContextExtensions,
    GroupInactive,
    InvalidCommit,
    KeyUnavailable,
    OwnCommit,
    OwnMessage,
    PastEpoch,
    ProposalReceived,
    ProposalsPending,
    Remove,
    Roles,
    StagedCommit,
    UnknownProposal,
    WireFormat,
    join_request,
)
from tests.unit.crypto.mls.party import (
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

both_formats = pytest.mark.parametrize("wire_format", [WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE])


def stage(group: Group, message: bytes) -> StagedCommit:
    staged = group.process(message, now=NOW)
    assert isinstance(staged, StagedCommit)
    return staged


@both_formats
def test_what_a_commit_would_do_and_by_whom(wire_format: WireFormat) -> None:
    persons = people(6)
    groups = gather(persons[:5])
    alice, bob, carol, dave, erin = groups
    update, removal = bob.propose_update(now=NOW), dave.propose_remove(4)
    for sender, message in ((bob, update), (dave, removal)):
        for group in groups:
            if group is not sender:
                group.process(message, now=NOW)
    extensions = (Roles({}).extension(),)
    commit = alice.commit(
        [Add(package(persons[5].bundle())), GroupContextExtensions(extensions), alice.resumption(b"group", 1)],
        now=NOW,
        wire_format=wire_format,
    )
    before = carol.serialize()
    effect = stage(carol, commit.message).effect
    assert carol.serialize() == before, "nothing has changed"
    assert (effect.epoch, effect.committer.leaf_index, effect.external) == (2, 0, False)
    assert [(c.after and c.after.credential, c.by) for c in effect.added] == [
        (persons[5].credential, persons[0].credential)
    ]
    assert [(c.before and c.before.leaf_index, c.by) for c in effect.removed] == [(4, persons[3].credential)]
    assert [(c.before and c.before.leaf_index, c.by) for c in effect.updated] == [
        (1, persons[1].credential),
        (0, persons[0].credential),
    ]
    for change in effect.updated:
        assert change.before is not None
        assert change.after is not None
        assert change.before.leaf_node.encryption_key != change.after.leaf_node.encryption_key
    assert effect.extensions == extensions
    assert effect.reinit is None
    assert len(effect.psk_ids) == 1
    staged = stage(erin, commit.message)
    assert staged.self_removed
    assert erin.active, "not yet"
    assert erin.apply(staged).self_removed
    with pytest.raises(GroupInactive):
        erin.encrypt(b"x")
    settle([alice, bob, carol, dave], alice, commit)


def test_an_external_commit_shows_who_comes_in_and_what_it_replaces() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    joined = Group.external_join(
        groups[0].group_info(),
        persons[1].credential,
        persons[1].signer,
        persons[1].randomness,
        now=NOW,
        resync=1,
        policy=OPEN,
    )
    effect = stage(groups[0], joined.message).effect
    assert effect.external
    assert [c.after for c in effect.added] == [effect.committer]
    assert [(c.before and c.before.leaf_index, c.by) for c in effect.removed] == [(1, persons[1].credential)]


@both_formats
def test_a_staged_commit_may_be_left_alone(wire_format: WireFormat) -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    refused, taken = alice.commit(now=NOW, wire_format=wire_format), bob.commit(now=NOW)
    left = stage(carol, refused.message)
    bob.apply(taken)
    for group in (alice, carol):
        follow(group, taken.message)
    with pytest.raises(InvalidCommit, match="another epoch"):
        carol.apply(left)
    assert_conversation(groups)


def test_keys_used_between_staging_and_applying_stay_used() -> None:
    """The private commit's key is forgotten when it is applied, without bringing back what was used since."""
    alice, bob = gather(people(2))
    commit = alice.commit(now=NOW, wire_format=WireFormat.PRIVATE_MESSAGE)
    said = [alice.encrypt(b"one"), alice.encrypt(b"two")]
    staged = stage(bob, commit.message)
    for message in said:
        assert isinstance(bob.process(message, now=NOW), ApplicationMessage)
    bob.apply(staged)
    for message in said:
        with pytest.raises(KeyUnavailable):
            bob.process(message, now=NOW)
    assert bob.epoch == 2


def test_staging_twice_is_the_same_twice() -> None:
    alice, bob = gather(people(2))
    commit = alice.commit(now=NOW, wire_format=WireFormat.PRIVATE_MESSAGE)
    first, second = stage(bob, commit.message), stage(bob, commit.message)
    assert first.effect == second.effect
    bob.apply(second)
    with pytest.raises(InvalidCommit):
        bob.apply(first)


@both_formats
def test_an_own_commit_comes_back(wire_format: WireFormat) -> None:
    alice, bob = gather(people(2))
    commit = alice.commit(now=NOW, wire_format=wire_format)
    before = alice.serialize()
    with pytest.raises(OwnCommit):
        alice.process(commit.message, now=NOW)
    assert alice.serialize() == before
    alice.apply(commit)
    follow(bob, commit.message)
    assert_conversation([alice, bob])


def test_an_own_message_comes_back_in_its_epoch_and_later() -> None:
    groups = gather(people(2))
    alice, bob = groups
    message = alice.encrypt(b"hello")
    with pytest.raises(OwnMessage):
        alice.process(message, now=NOW)
    settle(groups, bob, bob.commit(now=NOW))
    with pytest.raises(OwnMessage):
        alice.decrypt(message)
    assert bob.decrypt(message).data == b"hello"
    with pytest.raises(KeyUnavailable) as caught:
        bob.decrypt(message)
    assert not isinstance(caught.value, OwnMessage)


@both_formats
def test_what_belongs_to_another_epoch(wire_format: WireFormat) -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    late = alice.propose_update(now=NOW, wire_format=wire_format)
    first = bob.commit(now=NOW, wire_format=wire_format)
    bob.apply(first)
    for group in (alice, carol):
        follow(group, first.message)
    second = bob.commit(now=NOW, wire_format=wire_format)
    for message in (late, first.message):
        with pytest.raises(PastEpoch):
            carol.process(message, now=NOW)
    bob.apply(second)
    ahead = bob.commit(now=NOW, wire_format=wire_format)
    for message in (ahead.message, bob.encrypt(b"from the future")):
        with pytest.raises(FutureEpoch):
            carol.process(message, now=NOW)


def test_a_pending_proposal_can_be_dropped() -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    kept, dropped = bob.propose_update(now=NOW), bob.propose_remove(2)
    for group in (alice, carol):
        for message in (kept, dropped):
            assert isinstance(group.process(message, now=NOW), ProposalReceived)
    for group in (alice, bob):
        group.drop_proposal(next(p.reference for p in group.pending_proposals if isinstance(p.proposal, Remove)))
        assert len(group.pending_proposals) == 1
    with pytest.raises(UnknownProposal):
        alice.drop_proposal(bytes(32))
    with pytest.raises(UnknownProposal):
        alice.commit(now=NOW, admit=[bytes(32)])
    commit = alice.commit(now=NOW)
    results = settle(groups, alice, commit)
    assert (results[0].updated, results[0].removed) == ((1,), ())


def test_a_stranger_who_may_ask_does_not_silence_the_group() -> None:
    alice, bob = gather(people(2))
    service = Person("x")
    request = join_request(alice.suite, alice.group_id, alice.epoch, service.bundle())
    alice.process(request, now=NOW)
    with pytest.raises(ProposalsPending):
        alice.encrypt(b"hello")
    alice.drop_proposal(alice.pending_proposals[0].reference)
    assert bob.decrypt(alice.encrypt(b"hello")).data == b"hello"


def test_a_commit_of_a_dropped_proposal_cannot_be_followed() -> None:
    alice, bob, carol = gather(people(3))
    message = carol.propose_update(now=NOW)
    for group in (alice, bob):
        group.process(message, now=NOW)
    bob.drop_proposal(bob.pending_proposals[0].reference)
    with pytest.raises(CryptoError):
        bob.process(alice.commit(now=NOW).message, now=NOW)


def test_members_list_the_extension_of_roles() -> None:
    alice = gather(people(2))[0]
    assert all(
        member.leaf_node.capabilities.supports_extensions([Extension(ExtensionType.ROLES, b"")])
        for member in alice.members
    )
