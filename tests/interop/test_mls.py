"""Live groups of `crypto.mls` and ts-mls: each scenario with either as the one who acts."""

from __future__ import annotations

import time

import pytest

from crypto.errors import CryptoError
from crypto.mls import RFC_SUITES, CipherSuite, PublicCommit, PublicGroup
from tests.interop.cast import OTHER, Cast, Kind, assert_agree, assert_talk, deliver, welcome_all
from tests.interop.mls_members import (
    POLICY,
    AddMember,
    Change,
    Member,
    OurMember,
    RemoveMember,
    SetExtensions,
    UpdateSelf,
    UsePsk,
    UseResumptionPsk,
)
from tests.peers.node import NodePeer, PeerError

NOW = int(time.time())
ED25519 = CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
P256 = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256

actors = pytest.mark.parametrize("actor", ["ours", "theirs"])
wires = pytest.mark.parametrize("public", [True, False], ids=["public", "private"])


@pytest.fixture
def cast(ts_mls: NodePeer) -> Cast:
    return Cast(ts_mls, ED25519)


@pytest.mark.parametrize("suite", sorted(RFC_SUITES), ids=lambda suite: f"suite{int(suite)}")
@actors
def test_every_suite_creates_adds_updates_and_talks(ts_mls: NodePeer, suite: CipherSuite, actor: Kind) -> None:
    cast = Cast(ts_mls, suite)
    founder, other = members = cast.group(actor, [OTHER[actor]])
    assert_talk(members)
    for committer in (other, founder):
        commit = committer.commit()
        deliver(commit.message, members, committer)
        assert_agree(members)
    newcomer = cast.member(actor, "newcomer")
    commit = other.commit([AddMember(newcomer.key_package())])
    deliver(commit.message, [founder])
    welcome_all([newcomer], commit)
    assert_agree([*members, newcomer])
    assert_talk([*members, newcomer])


@actors
@wires
def test_adds_one_by_one(cast: Cast, actor: Kind, public: bool) -> None:
    members = [cast.member(actor, "founder")]
    members[0].create(b"one by one")
    for number in range(6):
        joiner = cast.member("ours" if number % 2 else "theirs", f"joiner-{number}")
        adder = members[number // 2]
        commit = adder.commit([AddMember(joiner.key_package())], public=public)
        deliver(commit.message, members, adder)
        welcome_all([joiner], commit)
        members.append(joiner)
        assert_agree(members)
    assert_talk(members)


@actors
def test_adds_many_at_once_with_the_tree_inside_the_welcome(cast: Cast, actor: Kind) -> None:
    founder = cast.member(actor, "founder")
    founder.create(b"many")
    joiners = [cast.member("ours" if n % 2 else "theirs", f"joiner-{n}") for n in range(17)]
    commit = founder.commit([AddMember(joiner.key_package()) for joiner in joiners], tree_in_welcome=True)
    assert commit.welcome is not None
    for joiner in joiners:
        joiner.join(commit.welcome, None)
    members = [founder, *joiners]
    assert_agree(members)
    for committer in (joiners[3], joiners[16], founder):
        update = committer.commit()
        deliver(update.message, members, committer)
    assert_agree(members)
    assert_talk(members[::4])


@actors
def test_a_hundred_members_of_whom_four_are_awake(cast: Cast, actor: Kind) -> None:
    founder = cast.member(actor, "founder")
    founder.create(b"hundred")
    awake = [cast.member(kind, f"awake-{kind}") for kind in ("ours", "theirs")]
    asleep = [cast.member("ours", f"asleep-{number}") for number in range(96)]
    adds = [AddMember(member.key_package()) for member in (*asleep[:60], *awake, *asleep[60:])]
    commit = founder.commit(adds)
    welcome_all(awake, commit)
    members = [founder, *awake]
    late = cast.member(OTHER[actor], "late")
    deliver(late.join_external(founder.group_info(with_tree=True), None), members)
    members.append(late)
    for committer in members:
        update = committer.commit([RemoveMember(members.index(committer) + 7)])
        deliver(update.message, members, committer)
        assert_agree(members)
    assert_talk(members)


@actors
def test_a_group_that_starts_with_application_data_keeps_its_generations(cast: Cast, actor: Kind) -> None:
    members = cast.group(actor, [OTHER[actor]])
    sender, receiver = members
    messages = [sender.send(b"%d" % number) for number in range(40)]
    order = [*range(5, 10), *range(5), 12, 11, *range(13, 40), 10]
    assert [receiver.process(messages[number]) for number in order] == [b"%d" % number for number in order]


@actors
@wires
@pytest.mark.parametrize("committer", ["ours", "theirs"])
def test_update_proposal(cast: Cast, actor: Kind, committer: Kind, public: bool) -> None:
    """`actor` proposes new keys for itself, a member of the kind `committer` commits them."""
    members = cast.group("ours", [actor, committer, "theirs", "ours"])
    proposer, other = members[1], members[2]
    proposal = proposer.propose(UpdateSelf(), public=public)
    deliver(proposal, members, proposer)
    commit = other.commit(public=public)
    deliver(commit.message, members, other)
    assert_agree(members)
    assert_talk(members)
    again = proposer.commit()
    deliver(again.message, members, proposer)
    assert_agree(members)


@actors
@wires
def test_remove(cast: Cast, actor: Kind, public: bool) -> None:
    members = cast.group(actor, ["ours", "theirs", "ours", "theirs", "ours"])
    rest = members
    for index in (1, 4):
        removed = members[index]
        commit = members[0].commit([RemoveMember(removed.leaf)], public=public)
        deliver(commit.message, rest, members[0])
        assert not removed.active
        rest = [member for member in rest if member is not removed]
        assert_agree(rest)
        with pytest.raises((CryptoError, PeerError)):
            removed.process(members[0].send(b"not for you"))
    assert len(rest) == 4
    assert_talk(rest)
    filler = cast.member(OTHER[actor], "filler")
    commit = rest[1].commit([AddMember(filler.key_package())])
    deliver(commit.message, rest, rest[1])
    welcome_all([filler], commit)
    assert filler.leaf == 1, "the leftmost blank leaf is filled first"
    assert_agree([*rest, filler])


@actors
def test_remove_by_proposal_of_another(cast: Cast, actor: Kind) -> None:
    members = cast.group(actor, ["ours", "theirs", OTHER[actor]])
    proposal = members[3].propose(RemoveMember(1))
    deliver(proposal, members, members[3])
    commit = members[2].commit()
    deliver(commit.message, members, members[2])
    assert not members[1].active
    rest = [members[0], members[2], members[3]]
    assert_agree(rest)
    assert_talk(rest)


@actors
@wires
def test_a_mixed_commit_by_reference_and_by_value(cast: Cast, actor: Kind, public: bool) -> None:
    members = cast.group("theirs", ["ours", actor, "theirs", "ours"])
    joiners = [cast.member("ours", "late-0"), cast.member("theirs", "late-1")]
    for proposer, change in (
        (members[1], UpdateSelf()),
        (members[3], AddMember(joiners[0].key_package())),
    ):
        deliver(proposer.propose(change, public=public), members, proposer)
    committer, removed = members[2], members[4]
    commit = committer.commit([AddMember(joiners[1].key_package()), RemoveMember(removed.leaf)], public=public)
    deliver(commit.message, members, committer)
    assert not removed.active, "a removed member notices it even if its leaf is taken at once"
    welcome_all(joiners, commit)
    rest = [*members[:4], *joiners]
    assert_agree(rest)
    assert_talk(rest)


def test_our_add_only_commit_with_and_without_a_path(cast: Cast) -> None:
    members = cast.group("theirs", ["ours", "theirs"])
    ours = members[1]
    sizes = []
    for force_path in (False, True):
        joiner = cast.member("theirs", f"joiner-{force_path}")
        commit = ours.commit([AddMember(joiner.key_package())], force_path=force_path)
        deliver(commit.message, members, ours)
        welcome_all([joiner], commit)
        members.append(joiner)
        assert_agree(members)
        sizes.append(len(commit.message))
    assert sizes[0] + 200 < sizes[1], "the second commit carries a path"
    assert_talk(members)


@actors
@pytest.mark.parametrize("with_tree", [True, False], ids=["tree-inside", "tree-beside"])
def test_external_join(cast: Cast, actor: Kind, with_tree: bool) -> None:
    members = cast.group(OTHER[actor], ["ours", "theirs", "ours"])
    for number, host in enumerate((members[1], members[2])):
        joiner = cast.member(actor, f"outsider-{number}")
        tree = None if with_tree else host.tree()
        message = joiner.join_external(host.group_info(with_tree=with_tree), tree)
        deliver(message, members)
        members.append(joiner)
        assert_agree(members)
    assert_talk(members)
    update = members[0].commit()
    deliver(update.message, members, members[0])
    assert_agree(members)


@actors
def test_external_join_fills_a_blank_leaf(cast: Cast, actor: Kind) -> None:
    members = cast.group(OTHER[actor], ["ours", "theirs", "ours", "theirs"])
    commit = members[0].commit([RemoveMember(2)])
    deliver(commit.message, members, members[0])
    del members[2]
    joiner = cast.member(actor, "outsider")
    deliver(joiner.join_external(members[0].group_info(with_tree=True), None), members)
    assert joiner.leaf == 2
    assert_agree([*members, joiner])
    assert_talk([*members, joiner])


@actors
def test_resync_replaces_the_members_own_leaf(cast: Cast, actor: Kind) -> None:
    members = cast.group(OTHER[actor], [actor, "ours", "theirs"])
    lost, host = members[1], members[0]
    message = lost.join_external(host.group_info(with_tree=True), None, resync=1)
    rest = [member for member in members if member is not lost]
    deliver(message, rest)
    assert lost.leaf == 1
    assert len(host.view().members) == 4
    assert_agree(members)
    assert_talk(members)


@actors
def test_join_request_of_a_new_member(cast: Cast, actor: Kind) -> None:
    members = cast.group(OTHER[actor], ["ours", "theirs"])
    for committer in members[:2]:
        joiner = cast.member(actor, f"asks-{committer.name}")
        joiner.key_package()
        request = joiner.join_request(committer.group_info(with_tree=True), committer.view())
        deliver(request, members)
        commit = committer.commit()
        deliver(commit.message, members, committer)
        welcome_all([joiner], commit)
        members.append(joiner)
        assert_agree(members)
    assert_talk(members)


@actors
@wires
@pytest.mark.parametrize("by_reference", [True, False], ids=["proposed", "inline"])
def test_external_psk(cast: Cast, actor: Kind, public: bool, by_reference: bool) -> None:
    members = cast.group(actor, ["ours", "theirs"])
    joiner = cast.member(OTHER[actor], "joiner")
    package = joiner.key_package()
    for member in (*members, joiner):
        member.learn_psk(b"psk one", b"1" * 32)
        member.learn_psk(b"psk two", b"2" * 48)
    changes: list[Change] = [UsePsk(b"psk two"), UsePsk(b"psk one"), AddMember(package)]
    if by_reference:
        for change in changes:
            deliver(members[0].propose(change, public=public), members, members[0])
        changes = []
    commit = members[0].commit(changes, public=public)
    deliver(commit.message, members, members[0])
    welcome_all([joiner], commit)
    assert_agree([*members, joiner])
    assert_talk([*members, joiner])


def test_our_external_join_with_a_psk(cast: Cast) -> None:
    members = cast.group("theirs", ["ours", "theirs"])
    joiner = cast.member("ours", "outsider")
    assert isinstance(joiner, OurMember)
    for member in (*members, joiner):
        member.learn_psk(b"psk", b"1" * 32)
    message = joiner.join_external(members[0].group_info(with_tree=True), None, psk_ids=(b"psk",))
    deliver(message, members)
    assert_agree([*members, joiner])
    assert_talk([*members, joiner])


@actors
def test_a_psk_that_differs_is_noticed(cast: Cast, actor: Kind) -> None:
    one, other = cast.group(actor, [OTHER[actor]])
    one.learn_psk(b"psk", b"1" * 32)
    other.learn_psk(b"psk", b"2" * 32)
    before = other.view()
    commit = one.commit([UsePsk(b"psk")])
    with pytest.raises((CryptoError, PeerError)):
        other.process(commit.message)
    assert other.view() == before


@actors
def test_resumption_psk(cast: Cast, actor: Kind) -> None:
    members = cast.group(actor, ["ours", "theirs"])
    earlier = members[0].view()
    deliver(members[1].commit().message, members, members[1])
    commit = members[0].commit([UseResumptionPsk(earlier.group_id, earlier.epoch)])
    deliver(commit.message, members, members[0])
    assert_agree(members)
    assert_talk(members)


@actors
@pytest.mark.parametrize("suite", [ED25519, P256], ids=["same-suite", "other-suite"])
def test_reinit(ts_mls: NodePeer, actor: Kind, suite: CipherSuite) -> None:
    cast = Cast(ts_mls, ED25519)
    old = cast.group(actor, ["ours", "theirs"])
    deliver(old[0].reinit(b"group reborn", suite), old, old[0])
    assert not any(member.active for member in old), "nobody may go on in the old group"
    after = Cast(ts_mls, suite)
    new = [after.member("ours" if isinstance(member, OurMember) else "theirs", member.name) for member in old]
    packages = [member.key_package() for member in new[1:]]
    commit = new[0].reinit_create(old[0], packages, b"group reborn", suite)
    assert commit.welcome is not None
    for member, before in zip(new[1:], old[1:], strict=True):
        member.join(commit.welcome, commit.tree, previous=before)
    assert_agree(new)
    assert new[0].view().group_id == b"group reborn"
    assert_talk(new)


@actors
def test_branch(cast: Cast, actor: Kind) -> None:
    old = cast.group(actor, ["ours", "theirs", "ours"])
    subset = [old[0], old[2], old[3]]
    new = [cast.member("ours" if isinstance(member, OurMember) else "theirs", member.name) for member in subset]
    packages = [member.key_package() for member in new[1:]]
    commit = new[0].branch_create(old[0], packages, b"branch")
    assert commit.welcome is not None
    for member, before in zip(new[1:], subset[1:], strict=True):
        member.join(commit.welcome, commit.tree, previous=before)
    assert_agree(new)
    assert_talk(new)
    assert_talk(old)


@actors
def test_group_context_extensions(cast: Cast, actor: Kind) -> None:
    """`actor` proposes required_capabilities (3) that every leaf has: the credential type basic (1).

    We commit: ts-mls leaves out the path that RFC 9420, 12.1.7 demands.
    """
    members = cast.group(actor, ["ours", "theirs"])
    deliver(members[0].propose(SetExtensions(((3, bytes.fromhex("0000020001")),))), members, members[0])
    commit = members[1].commit()
    deliver(commit.message, members, members[1])
    assert_agree(members)
    joiner = cast.member(OTHER[actor], "joiner")
    add = members[1].commit([AddMember(joiner.key_package())])
    deliver(add.message, members, members[1])
    welcome_all([joiner], add)
    assert_agree([*members, joiner])
    assert_talk([*members, joiner])


def test_our_commit_that_changes_extensions_and_has_a_path(cast: Cast) -> None:
    """The path is sealed under the new extensions; ts-mls can open such a commit but not make one."""
    members = cast.group("ours", ["theirs", "ours", "theirs"])
    commit = members[0].commit([RemoveMember(3), SetExtensions(((3, bytes.fromhex("0000020001")),))])
    deliver(commit.message, members, members[0])
    assert_agree(members[:3])
    assert_talk(members[:3])


def test_the_loser_of_a_race_takes_the_winning_commit(cast: Cast) -> None:
    members = cast.group("theirs", ["ours", "ours"])
    loser = members[1]
    assert isinstance(loser, OurMember)
    lost = loser.group.commit(now=loser.now)
    won = members[0].commit()
    deliver(won.message, members, members[0])
    assert_agree(members)
    with pytest.raises(CryptoError):
        loser.group.apply(lost)
    assert_agree(members)
    assert_talk(members)


@actors
def test_a_delivery_service_follows_both(cast: Cast, actor: Kind) -> None:
    """Our PublicGroup starts with either's GroupInfo and follows the commits, proposals and joins of both."""
    members = cast.group(actor, ["ours", "theirs", "ours", "theirs"])
    public = PublicGroup.follow(members[0].group_info(with_tree=True), now=NOW, policy=POLICY)

    def carry(message: bytes, sender: Member | None = None) -> None:
        checked = public.process(message, now=NOW)
        if isinstance(checked, PublicCommit):
            public.apply(checked)
        deliver(message, members, sender)
        public.check_group_info(members[0].group_info(with_tree=False))
        public.check_group_info(members[1].group_info(with_tree=True))

    for committer in members:
        newcomer = cast.member(OTHER[actor], f"guest of {committer.name}")
        carry(committer.commit([AddMember(newcomer.key_package())]).message, committer)
        carry(committer.commit().message, committer)
    for proposer, committer in ((members[1], members[2]), (members[2], members[3])):
        carry(proposer.propose(UpdateSelf()), proposer)
        carry(committer.commit().message, committer)
    carry(members[0].commit([RemoveMember(5)]).message, members[0])
    outsider = cast.member(OTHER[actor], "outsider")
    carry(outsider.join_external(members[1].group_info(with_tree=True), None))
    assert public.ratchet_tree() == members[0].tree()
    assert public.epoch == members[0].view().epoch


def test_our_padding_is_removed_and_theirs_as_well(cast: Cast) -> None:
    ours, theirs = cast.group("ours", ["theirs"])
    assert isinstance(ours, OurMember)
    plain, padded = ours.group.encrypt(b"short"), ours.group.encrypt(b"short", padding=500)
    assert len(padded) > len(plain) + 490
    assert theirs.process(padded) == b"short"
    assert theirs.process(plain) == b"short"
    assert ours.process(theirs.send(b"")) == b""


def test_messages_of_the_last_epoch_still_arrive_after_a_commit(cast: Cast) -> None:
    members = cast.group("ours", ["theirs", "ours"])
    late = [(member, member.send(b"late from " + member.name.encode())) for member in members]
    commit = members[1].commit()
    deliver(commit.message, members, members[1])
    for sender, message in late:
        for receiver in members:
            if receiver is not sender:
                assert receiver.process(message) == b"late from " + sender.name.encode()
    assert_agree(members)


def test_our_state_survives_being_stored_at_every_step(cast: Cast) -> None:
    members = cast.group("theirs", ["ours", "theirs"])
    ours = members[1]
    assert isinstance(ours, OurMember)
    ours.reload()
    deliver(ours.propose(UpdateSelf()), members, ours)
    ours.reload()
    deliver(members[0].commit().message, members, members[0])
    ours.reload()
    assert_agree(members)
    message = members[2].send(b"one")
    skipped = members[2].send(b"two")
    assert ours.process(skipped) == b"two"
    ours.reload()
    assert ours.process(message) == b"one"
    deliver(ours.commit().message, members, ours)
    ours.reload()
    assert_agree(members)
    assert_talk(members)
