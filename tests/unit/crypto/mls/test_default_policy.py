"""What a group does for strangers when nobody configured anything: nothing."""

from dataclasses import replace
from inspect import Parameter, signature

import pytest

from crypto.mls import (
    BasicCredential,
    CommitBundle,
    Group,
    GroupPolicy,
    InvalidCommit,
    InvalidProposal,
    TrustOnPresentation,
    join_request,
)
from tests.unit.crypto.mls.party import NOW, OPEN, Person, follow, gather, people, settle

DEFAULTS = GroupPolicy(TrustOnPresentation())


def test_nobody_gets_a_policy_or_an_authentication_service_by_default() -> None:
    assert signature(GroupPolicy).parameters["authentication"].default is Parameter.empty
    for method in (Group.create, Group.join, Group.external_join, Group.restore, CommitBundle.restore):
        assert signature(method).parameters["policy"].default is Parameter.empty


def test_a_stranger_who_knows_group_and_epoch_is_not_added_by_the_next_routine_commit() -> None:
    groups = gather(people(2, policy=DEFAULTS))
    alice, bob = groups
    eve = Person("eve")
    request = join_request(alice.suite, alice.group_id, alice.epoch, eve.bundle())
    for group in groups:
        with pytest.raises(InvalidProposal):
            group.process(request, now=NOW)
    settle(groups, bob, bob.commit(now=NOW))
    assert [member.credential for member in alice.members] == [
        BasicCredential(b"person 0"),
        BasicCredential(b"person 1"),
    ]


@pytest.mark.parametrize("resync", [None, 0])
def test_who_has_a_group_info_neither_joins_nor_replaces_a_member(resync: int | None) -> None:
    groups = gather(people(2, policy=DEFAULTS))
    alice, bob = groups
    thief = Person("person 0 of the server's making")
    claimed = BasicCredential(b"person 0" if resync == 0 else b"eve")
    joined = Group.external_join(
        alice.group_info(), claimed, thief.signer, thief.randomness, now=NOW, resync=resync, policy=OPEN
    )
    for group in groups:
        before = group.serialize()
        with pytest.raises(InvalidCommit):
            group.process(joined.message, now=NOW)
        assert group.serialize() == before
    joins_only = replace(DEFAULTS, allow_external_commits=True)
    bob = Group.restore(bob.serialize(), thief.randomness, joins_only)
    if resync is None:
        assert follow(bob, joined.message).committer == 2
    else:
        with pytest.raises(InvalidCommit):
            bob.process(joined.message, now=NOW)
