"""Joining by an own commit, and proposals from outside (RFC 9420 sections 12.1.8 and 12.4.3.2)."""

from dataclasses import replace

import pytest

from crypto.errors import CryptoError
from crypto.mls import (
    Add,
    CipherSuite,
    ExternalJoin,
    ExternalSender,
    Group,
    GroupContextExtensions,
    InvalidCommit,
    InvalidInput,
    InvalidMessage,
    InvalidProposal,
    InvalidSignature,
    InvalidWelcome,
    MissingPsk,
    ProposalReceived,
    Psks,
    Remove,
    SenderType,
    external_proposal,
    external_senders_extension,
    join_request,
)
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


def enter(person: Person, info: bytes, **options: object) -> ExternalJoin[Group]:
    return Group.external_join(
        info,
        person.credential,
        person.signer,
        person.randomness,
        now=NOW,
        policy=person.policy,
        **options,  # type: ignore[arg-type]
    )


def all_follow(groups: list[Group], joined: ExternalJoin[Group]) -> list[Group]:
    for group in groups:
        result = follow(group, joined.message)
        assert result.committer == joined.group.own_leaf
    everyone = [*(group for group in groups if group.active), joined.group]
    assert_agreement(everyone)
    assert_conversation(everyone)
    return everyone


@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: f"suite{int(suite)}")
def test_an_external_join_in_every_suite(suite: CipherSuite) -> None:
    persons = people(3, suite)
    groups = gather(persons[:2])
    all_follow(groups, enter(persons[2], groups[0].group_info()))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_external_joins_into_groups_of_every_shape(size: int) -> None:
    persons = people(size + 2)
    groups = gather(persons[:size])
    groups = all_follow(groups, enter(persons[size], groups[-1].group_info()))
    groups = all_follow(groups, enter(persons[size + 1], groups[-1].group_info()))
    settle(groups, groups[-1], groups[-1].commit(now=NOW))


def test_an_external_joiner_takes_the_leftmost_free_leaf() -> None:
    persons = people(5)
    groups = gather(persons[:4], force_path=True)
    settle(groups, groups[0], groups[0].commit([Remove(2)], now=NOW))
    present = [groups[0], groups[1], groups[3]]
    assert all_follow(present, enter(persons[4], groups[1].group_info()))[-1].own_leaf == 2


def test_the_tree_can_be_given_apart_from_the_group_info() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    info = groups[0].group_info(with_tree=False)
    with pytest.raises(InvalidWelcome):
        enter(persons[2], info)
    all_follow(groups, enter(persons[2], info, ratchet_tree=groups[1].ratchet_tree()))


def test_no_external_join_without_an_external_key_or_with_a_changed_tree() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    with pytest.raises(InvalidWelcome):
        enter(persons[2], groups[0].group_info(external_pub=False))
    older = groups[0].ratchet_tree()
    settle(groups, groups[0], groups[0].commit(now=NOW))
    with pytest.raises(InvalidWelcome):
        enter(persons[2], groups[0].group_info(with_tree=False), ratchet_tree=older)


def test_a_lost_device_comes_back_in_place_of_its_old_self() -> None:
    persons = people(3)
    groups = gather(persons)
    joined = enter(persons[1], groups[0].group_info(), resync=1)
    everyone = all_follow(groups, joined)
    assert not groups[1].active
    assert len(everyone) == 3
    assert joined.group.own_leaf == 1


def test_nobody_comes_back_as_somebody_else() -> None:
    persons = people(4)
    groups = gather(persons[:3])
    with pytest.raises(CryptoError, match="no successor"):
        enter(persons[3], groups[0].group_info(), resync=1)
    with pytest.raises(CryptoError, match="same signature key"):
        enter(persons[1], groups[0].group_info())


def test_a_group_may_refuse_external_commits_and_resyncs() -> None:
    persons = people(3, policy=replace(OPEN, allow_external_commits=False))
    groups = gather(persons[:2])
    with pytest.raises(InvalidCommit):
        groups[0].process(enter(persons[2], groups[0].group_info()).message, now=NOW)
    persons = people(2, policy=replace(OPEN, allow_resync=False))
    groups = gather(persons)
    with pytest.raises(InvalidCommit):
        groups[0].process(enter(persons[1], groups[0].group_info(), resync=1).message, now=NOW)


def test_an_external_join_with_a_psk() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    psks = Psks({b"door code": b"1234567890123456"})
    joined = enter(persons[2], groups[0].group_info(), psks=psks, psk_ids=[b"door code"])
    with pytest.raises(MissingPsk):
        groups[0].process(joined.message, now=NOW)
    wrong = Psks({b"door code": b"0000000000000000"})
    with pytest.raises(InvalidCommit):
        groups[0].process(joined.message, now=NOW, psks=wrong)
    for group in groups:
        follow(group, joined.message, psks=psks)
    assert_conversation([*groups, joined.group])


def test_the_key_must_fit_the_suite_of_the_group() -> None:
    groups = gather(people(2))
    stranger = Person("x", CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256)
    with pytest.raises(InvalidInput):
        enter(stranger, groups[0].group_info())


def test_an_admitted_outsider_proposes() -> None:
    persons, service, intruder = people(3), Person("service"), Person("intruder")
    senders = external_senders_extension([ExternalSender(service.signer.public_key, service.credential)])
    groups = gather(persons, extensions=[senders])
    alice, bob, _ = groups

    def propose(proposal: Remove | Add, by: Person = service, index: int = 0) -> bytes:
        return external_proposal(alice.suite, alice.group_id, alice.epoch, proposal, index, by.signer)

    with pytest.raises(InvalidSignature):
        alice.process(propose(Remove(2), by=intruder), now=NOW)
    with pytest.raises(InvalidMessage):
        alice.process(propose(Remove(2), index=1), now=NOW)
    with pytest.raises(InvalidProposal):
        alice.process(propose(Remove(7)), now=NOW)
    for message in (propose(Remove(2)), propose(Add(package(Person("erin").bundle())))):
        for group in groups:
            result = group.process(message, now=NOW)
            assert isinstance(result, ProposalReceived)
            assert result.sender.sender_type == SenderType.EXTERNAL
    results = settle(groups, bob, bob.commit(now=NOW, admit=[p.reference for p in bob.pending_proposals]))
    assert (results[0].removed, results[0].added) == ((2,), (2,))


def test_without_the_extension_no_outsider_is_heard() -> None:
    groups, service = gather(people(2)), Person("service")
    message = external_proposal(groups[0].suite, b"group", groups[0].epoch, Remove(1), 0, service.signer)
    with pytest.raises(InvalidMessage):
        groups[0].process(message, now=NOW)


def test_an_outsider_cannot_propose_everything() -> None:
    service = Person("service")
    update = gather(people(2))[0]
    update.propose_update(now=NOW)
    with pytest.raises(InvalidProposal):
        external_proposal(service.suite, b"group", 1, update.pending_proposals[0].proposal, 0, service.signer)


def test_the_extension_can_be_taken_away() -> None:
    service = Person("service")
    senders = external_senders_extension([ExternalSender(service.signer.public_key, service.credential)])
    groups = gather(people(2), extensions=[senders])
    settle(groups, groups[0], groups[0].commit([GroupContextExtensions(())], now=NOW))
    message = external_proposal(groups[0].suite, b"group", groups[0].epoch, Remove(1), 0, service.signer)
    with pytest.raises(InvalidMessage):
        groups[0].process(message, now=NOW)


def test_a_stranger_asks_to_be_added() -> None:
    persons = people(3)
    groups = gather(persons[:2])
    bundle = persons[2].bundle()
    request = join_request(groups[0].suite, b"group", groups[0].epoch, bundle)
    for group in groups:
        assert isinstance(group.process(request, now=NOW), ProposalReceived)
    assert groups[1].commit(now=NOW).welcome is None, "nobody comes in by a routine commit"
    commit = groups[1].commit(now=NOW, admit=[groups[1].pending_proposals[0].reference])
    settle(groups, groups[1], commit)
    assert_conversation([*groups, persons[2].join(commit.welcome, bundle)])


def test_a_group_may_refuse_such_requests() -> None:
    groups = gather(people(2, policy=replace(OPEN, allow_join_requests=False)))
    request = join_request(groups[0].suite, b"group", groups[0].epoch, Person("eve").bundle())
    with pytest.raises(InvalidProposal):
        groups[0].process(request, now=NOW)
