"""A delivery service follows groups without secrets, and refuses what honest members would refuse."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from crypto.errors import CryptoError, DecodeError, UnsupportedStateVersion
from crypto.mls import (
    Add,
    CipherSuite,
    ContentType,
    Extension,
    ExtensionType,
    FutureEpoch,
    Group,
    GroupContextExtensions,
    GroupInactive,
    GroupPolicy,
    InvalidCommit,
    InvalidCredential,
    InvalidInput,
    InvalidLeafNode,
    InvalidMessage,
    InvalidProposal,
    InvalidSignature,
    InvalidTree,
    InvalidWelcome,
    KeyPackage,
    NotAuthorized,
    PastEpoch,
    ProposalReceived,
    PublicCommit,
    PublicGroup,
    ReInit,
    Remove,
    Role,
    RoleAuthorization,
    Roles,
    Sender,
    TrustOnPresentation,
    UnknownProposal,
    WireFormat,
    WrongGroup,
    check_key_package,
    inspect_message,
    join_request,
    welcome_recipients,
)
from crypto.mls.codec import decode_exactly
from crypto.mls.framing import AuthenticatedContent, FramedContent
from crypto.mls.messages import decode_message, encode_message
from crypto.mls.proposals import Commit
from crypto.mls.public_message import PublicMessage, protect_public
from crypto.mls.update_path import UpdatePath
from crypto.mls.welcome import GroupInfo
from tests.unit.crypto.mls.devices import Device, acquainted, assemble
from tests.unit.crypto.mls.party import LIFETIME, NOW, OPEN, Person, follow, gather, package, people, settle


def watch(group: Group, policy: GroupPolicy = OPEN) -> PublicGroup:
    return PublicGroup.follow(group.group_info(), now=NOW, policy=policy)


def check(public: PublicGroup, message: bytes) -> PublicCommit:
    checked = public.process(message, now=NOW)
    assert isinstance(checked, PublicCommit)
    return checked


def assert_same(public: PublicGroup, group: Group) -> None:
    """The service knows what the members know, as far as it is public."""
    context = group._state.epoch.context
    assert (public.group_id, public.epoch, public.suite) == (group.group_id, group.epoch, group.suite)
    assert public.ratchet_tree() == group.ratchet_tree()
    assert public.tree_hash == context.tree_hash
    assert public.confirmed_transcript_hash == context.confirmed_transcript_hash
    assert public.members == group.members
    assert public.extensions == group.extensions
    assert public._state.epoch.interim_transcript_hash == group._state.epoch.interim_transcript_hash
    public.check_group_info(group.group_info())


@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: f"suite{int(suite)}")
def test_an_epoch_after_another_in_every_suite(suite: CipherSuite) -> None:
    persons = people(4, suite)
    groups = gather(persons[:3])
    public = watch(groups[0])
    assert_same(public, groups[0])
    bundle = persons[3].bundle()
    for committer, proposals in ((1, [Add(package(bundle))]), (2, []), (0, [Remove(1)])):
        commit = groups[committer].commit(proposals, now=NOW)
        public.apply(check(public, commit.message))
        settle(groups, groups[committer], commit)
        assert_same(public, groups[0])


@pytest.mark.parametrize("seed", range(12))
def test_a_random_history(seed: int) -> None:
    """Every way in which a group can change, in any order, and the service restarted in between."""
    dice, names = random.Random(seed), iter(range(100))
    persons = {f"person {number}": Person(f"person {number}") for number in range(3)}
    groups = gather(list(persons.values()))
    public, parts = watch(groups[0]), dict[str, bytes]()
    for _ in range(12):
        committer = dice.choice(groups)
        proposals: list[Add | Remove] = []
        for proposer in dice.sample(groups, dice.randint(0, min(2, len(groups)))):
            message = proposer.propose_update(now=NOW)
            assert isinstance(public.process(message, now=NOW), ProposalReceived)
            for group in groups:
                if group is not proposer:
                    group.process(message, now=NOW)
        action = dice.choice(("add", "remove", "update", "join"))
        newcomer = Person(f"newcomer {next(names)}")
        bundle = newcomer.bundle()
        if action == "join":
            joined = Group.external_join(
                committer.group_info(),
                newcomer.credential,
                newcomer.signer,
                newcomer.randomness,
                now=NOW,
                policy=OPEN,
            )
            checked = check(public, joined.message)
            assert checked.effect.external
            for group in groups:
                follow(group, joined.message)
            groups.append(joined.group)
        else:
            if action == "add":
                proposals.append(Add(package(bundle)))
            elif action == "remove" and len(groups) > 2:
                proposals.append(Remove(dice.choice([g.own_leaf for g in groups if g is not committer])))
            commit = committer.commit(proposals, now=NOW, force_path=dice.random() < 0.5, group_info=True)
            checked = check(public, commit.message)
            assert commit.group_info is not None
            checked.check_group_info(commit.group_info)
            settle(groups, committer, commit)
            groups = [group for group in groups if group.active]
            if commit.welcome is not None:
                checked.check_welcome(commit.welcome)
                groups.append(newcomer.join(commit.welcome, bundle))
        public.apply(checked)
        assert_same(public, groups[0])
        changes = public.changes()
        parts = {name: data for name, data in (parts | dict(changes.put)).items() if name not in changes.delete}
        public = PublicGroup.restore(parts, OPEN)
        assert public.changes().size == 0
    assert_same(public, groups[-1])
    whole = PublicGroup(public._state, OPEN).changes()
    assert dict(whole.put) == parts, "nothing is left over"


def test_proposals_by_reference_survive_a_restart() -> None:
    groups = gather(people(3))
    alice, bob, carol = groups
    public = watch(alice)
    parts = dict(public.changes().put)
    for sender, message in ((bob, bob.propose_update(now=NOW)), (carol, carol.propose_psk(b"psk"))):
        public.process(message, now=NOW)
        for group in groups:
            if group is not sender:
                group.process(message, now=NOW)
    changes = public.changes()
    assert len(changes.put) == 3
    public = PublicGroup.restore(parts | dict(changes.put), OPEN)
    assert [p.reference for p in public.pending_proposals] == [p.reference for p in alice.pending_proposals]
    commit = alice.commit(now=NOW)
    with pytest.raises(UnknownProposal):
        watch(alice).process(commit.message, now=NOW)
    effect = public.apply(check(public, commit.message))
    assert [c.by for c in effect.updated] == [bob.members[1].credential, alice.members[0].credential]
    assert len(public.changes().delete - {"group"}) >= 2


def reframed(group: Group, message: bytes, change: Callable[[Commit], Commit], **framing: object) -> bytes:
    """A commit with changed content, signed by its member."""
    public = decode_message(message)
    assert isinstance(public, PublicMessage)
    old = public.content.framed
    assert isinstance(old.content, Commit)
    epoch = group._state.epoch
    framed = replace(FramedContent(old.group_id, old.epoch, old.sender, b"", change(old.content)), **framing)  # type: ignore[arg-type]
    signed = AuthenticatedContent.sign(epoch.crypto, WireFormat.PUBLIC_MESSAGE, framed, epoch.context, epoch.own.signer)
    signed = signed.confirmed(public.content.confirmation_tag or b"")
    return encode_message(protect_public(epoch.crypto, signed, epoch.context, epoch.secrets.membership_key))


def path(change: Callable[[UpdatePath], UpdatePath | None]) -> Callable[[Commit], Commit]:
    def apply(commit: Commit) -> Commit:
        assert commit.path is not None
        return Commit(commit.proposals, change(commit.path))

    return apply


def leaf(group: Group, **changes: object) -> Callable[[Commit], Commit]:
    def apply(made: UpdatePath) -> UpdatePath:
        epoch = group._state.epoch
        changed = replace(made.leaf_node, **changes).signed(epoch.crypto, epoch.own.signer, b"group", group.own_leaf)  # type: ignore[arg-type]
        return UpdatePath(changed, made.nodes)

    return path(apply)


def test_bad_commits_that_a_member_signed() -> None:
    groups = gather(people(5), force_path=True)
    alice, public = groups[0], watch(groups[1])
    commit = alice.commit(now=NOW).message
    stranger = package(Person("eve").bundle())
    attempts: list[tuple[Callable[[Commit], Commit], type[CryptoError]]] = [
        (path(lambda p: None), InvalidCommit),
        (path(lambda p: replace(p, nodes=p.nodes[:-1])), InvalidTree),
        (
            path(lambda p: replace(p, nodes=(*p.nodes[:-1], replace(p.nodes[-1], encrypted_path_secret=())))),
            InvalidTree,
        ),
        (
            path(lambda p: replace(p, nodes=(replace(p.nodes[0], encryption_key=stranger.init_key), *p.nodes[1:]))),
            InvalidTree,
        ),
        (leaf(alice, parent_hash=bytes(32)), InvalidTree),
        (leaf(alice, encryption_key=alice.members[0].leaf_node.encryption_key), InvalidLeafNode),
        (leaf(alice, credential=Person("eve").credential), InvalidLeafNode),
        (lambda c: Commit((Remove(7),), c.path), InvalidProposal),
        (lambda c: Commit((Remove(0),), c.path), InvalidProposal),
        (lambda c: Commit((Add(replace(stranger, init_key=bytes(32))),), c.path), CryptoError),
        (lambda c: Commit((b"unknown reference",), c.path), UnknownProposal),
    ]
    before = public._state
    for change, error in attempts:
        with pytest.raises(error):
            public.process(reframed(alice, commit, change), now=NOW)
    with pytest.raises(InvalidSignature):
        public.process(reframed(groups[1], commit, lambda c: c), now=NOW)
    with pytest.raises(InvalidMessage):
        public.process(reframed(alice, commit, lambda c: c, sender=Sender.member(9)), now=NOW)
    assert public._state is before
    public.apply(check(public, commit))


def test_tags_of_the_wrong_length() -> None:
    alice, bob = gather(people(2))
    message = decode_message(alice.commit(now=NOW).message)
    assert isinstance(message, PublicMessage)
    for changed in (
        replace(message, membership_tag=bytes(31)),
        replace(message, content=replace(message.content, confirmation_tag=bytes(33))),
    ):
        with pytest.raises((InvalidMessage, InvalidCommit), match="length"):
            watch(bob).process(encode_message(changed), now=NOW)


def test_any_change_of_a_commit_is_noticed_or_is_one_of_its_tags() -> None:
    """The two tags are all that only members can check."""
    alice, bob = gather(people(2))
    public, message = watch(bob), alice.commit(now=NOW).message
    decoded = decode_message(message)
    assert isinstance(decoded, PublicMessage)
    unnoticed = []
    for position in range(len(message)):
        damaged = bytearray(message)
        damaged[position] ^= 1 << position % 8
        try:
            public.process(bytes(damaged), now=NOW)
        except CryptoError:
            continue
        unnoticed.append(position)
    tags = len(message) - 66  # two tags of 32 bytes with their length headers at the end
    assert unnoticed == [p for p in range(tags, len(message)) if p not in (tags, tags + 33)]


def test_what_cannot_be_followed() -> None:
    groups = gather(people(2))
    alice, bob = groups
    public = watch(alice)
    private = bob.commit(now=NOW, wire_format=WireFormat.PRIVATE_MESSAGE)
    for message in (private.message, bob.encrypt(b"hello"), Person("x").bundle().message()):
        with pytest.raises(InvalidMessage):
            public.process(message, now=NOW)
    with pytest.raises(WrongGroup):
        public.process(Person("x").found(b"another group").commit(now=NOW).message, now=NOW)
    first = bob.commit(now=NOW)
    public.apply(check(public, first.message))
    with pytest.raises(PastEpoch):
        public.process(first.message, now=NOW)
    settle(groups, bob, first)
    second = bob.commit(now=NOW)
    bob.apply(second)
    with pytest.raises(FutureEpoch):
        public.process(bob.commit(now=NOW).message, now=NOW)


def test_one_commit_an_epoch() -> None:
    alice, bob = gather(people(2))
    public = watch(alice)
    one, other = check(public, alice.commit(now=NOW).message), check(public, bob.commit(now=NOW).message)
    public.apply(one)
    with pytest.raises(InvalidInput):
        public.apply(other)


def test_a_closed_group_stays_closed_after_a_restart() -> None:
    alice, bob = gather(people(2))
    public = watch(alice)
    commit = alice.commit([ReInit.of(b"new", 2)], now=NOW)
    public.apply(check(public, commit.message))
    restored = PublicGroup.restore(public.changes().put, OPEN)
    assert restored.reinit == ReInit.of(b"new", 2)
    follow(bob, commit.message)
    bob._state = replace(bob._state, reinit=None)
    for service in (public, restored):
        with pytest.raises(GroupInactive):
            service.process(bob.commit(now=NOW).message, now=NOW)


def test_strangers_are_kept_out_by_the_service_too() -> None:
    devices = acquainted("alice", "bob")
    groups, ghost = assemble(devices), Device("bob", 2)
    policy = replace(devices[0].policy, allow_external_commits=True, allow_join_requests=True)
    public = PublicGroup.follow(groups[0].group_info(), now=NOW, policy=policy)
    joined = Group.external_join(
        groups[0].group_info(), ghost.statement.credential(), ghost.signer, ghost.randomness, now=NOW, policy=OPEN
    )
    request = join_request(ghost.suite, b"group", groups[0].epoch, ghost.bundle())
    for message in (joined.message, request):
        with pytest.raises(InvalidCredential):
            public.process(message, now=NOW)
    with pytest.raises(InvalidCommit):
        PublicGroup.follow(groups[0].group_info(), now=NOW, policy=devices[0].policy).process(joined.message, now=NOW)


def test_the_service_knows_the_roles() -> None:
    policy = replace(OPEN, authorization=RoleAuthorization(lambda credential: credential.encode()))
    persons = people(3)
    roles = Roles({persons[0].credential.encode(): Role.OWNER})
    groups = gather(persons, [roles.extension()])
    public = watch(groups[0], policy)
    with pytest.raises(NotAuthorized):
        public.process(groups[1].commit([Remove(2)], now=NOW).message, now=NOW)
    with pytest.raises(NotAuthorized):
        public.process(groups[1].propose_remove(2), now=NOW)
    assert not public.pending_proposals
    public.apply(check(public, groups[0].commit([Remove(2)], now=NOW).message))


def test_what_comes_with_a_commit() -> None:
    persons = people(4)
    alice, bob = gather(persons[:2])
    public = watch(alice)
    offers = [persons[2].bundle(), persons[3].bundle()]
    one = alice.commit([Add(package(offers[0]))], now=NOW, group_info=True)
    other = bob.commit([Add(package(offer)) for offer in offers], now=NOW, group_info=True)
    checked = check(public, one.message)
    assert checked.new_members == (offers[0].reference(),)
    assert one.welcome is not None
    assert other.welcome is not None
    assert set(welcome_recipients(other.welcome)) == {offer.reference() for offer in offers}
    checked.check_welcome(one.welcome)
    with pytest.raises(InvalidWelcome):
        checked.check_welcome(other.welcome)
    assert one.group_info is not None
    checked.check_group_info(one.group_info)
    signer = bob._state.epoch.own.signer
    info = decode_message(one.group_info)
    assert isinstance(info, GroupInfo)
    crypto = alice._state.epoch.crypto
    forged = GroupInfo.sign(crypto, info.group_context, info.extensions, info.confirmation_tag, 0, signer)
    external_pub = Extension(ExtensionType.EXTERNAL_PUB, b"\x20" + bytes(32))
    useless = GroupInfo.sign(crypto, info.group_context, (external_pub,), info.confirmation_tag, 1, signer)
    for bad in (alice.group_info(), other.group_info, one.welcome, encode_message(useless)):
        assert bad is not None
        with pytest.raises(InvalidWelcome):
            checked.check_group_info(bad)
    with pytest.raises(InvalidSignature):
        checked.check_group_info(encode_message(forged))


def test_the_outside_of_messages() -> None:
    alice, bob = gather(people(2))
    commit = alice.commit([Add(package(Person("x").bundle()))], now=NOW)
    info = inspect_message(commit.message)
    assert (info.group_id, info.epoch, info.content_type) == (b"group", 1, ContentType.COMMIT)
    assert info.sender == Sender.member(0)
    info = inspect_message(bob.encrypt(b"hello"))
    assert (info.wire_format, info.group_id, info.epoch) == (WireFormat.PRIVATE_MESSAGE, b"group", 1)
    assert (info.content_type, info.sender) == (ContentType.APPLICATION, None)
    assert commit.welcome is not None
    assert inspect_message(commit.welcome).wire_format == WireFormat.WELCOME
    assert inspect_message(alice.group_info()).epoch == 1
    assert inspect_message(Person("x").bundle().message()).wire_format == WireFormat.KEY_PACKAGE
    with pytest.raises(InvalidWelcome):
        welcome_recipients(commit.message)
    with pytest.raises(DecodeError):
        inspect_message(b"")


def test_key_packages_are_checked_before_they_are_handed_out() -> None:
    alice, evil = Device("alice"), Device("alice", seed="the server's")
    offer = alice.bundle().message()
    assert check_key_package(offer, now=NOW, policy=alice.policy) == KeyPackage.from_message(offer)
    with pytest.raises(InvalidCredential):
        check_key_package(evil.bundle().message(), now=NOW, policy=alice.policy)
    with pytest.raises(InvalidLeafNode):
        check_key_package(offer, now=LIFETIME.not_after + 1, policy=GroupPolicy(TrustOnPresentation()))
    for position in range(4, len(offer)):
        damaged = bytearray(offer)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(CryptoError):
            check_key_package(bytes(damaged), now=NOW, policy=OPEN)


def test_a_commit_writes_its_path_and_not_the_tree() -> None:
    groups = gather(people(64), force_path=True)
    public = watch(groups[0])
    whole = public.changes()
    public.apply(check(public, groups[63].commit(now=NOW).message))
    changes = public.changes()
    assert len(changes.put) <= 1 + 1 + 6
    assert changes.size < whole.size / 10


def test_damaged_parts_are_refused() -> None:
    alice, bob = gather(people(2), [Extension(ExtensionType.ROLES, b"\0")])
    public = watch(alice)
    public.process(bob.propose_update(now=NOW), now=NOW)
    parts = dict(public.changes().put)
    PublicGroup.restore(parts, OPEN)
    reference = f"proposal/{public.pending_proposals[0].reference.hex()}"
    for name, data in (
        ("node/x", parts["node/0"]),
        ("node/0/0", parts["node/0"]),
        ("node/3", parts["node/0"]),
        ("node/1", parts["node/0"]),
        ("node/-1", parts["node/0"]),
        ("node/0", b""),
        ("group", b""),
        ("group", parts["group"] + b"\0"),
        (reference, b""),
    ):
        with pytest.raises(DecodeError):
            PublicGroup.restore(parts | {name: data}, OPEN)
    for missing in ("group", reference, "node/0"):
        with pytest.raises(DecodeError):
            PublicGroup.restore({name: data for name, data in parts.items() if name != missing}, OPEN)
    version = parts["group"].index(b"\x00") + 1
    newer = parts["group"][:version] + b"\x00\x09" + parts["group"][version + 2 :]
    with pytest.raises(UnsupportedStateVersion):
        PublicGroup.restore(parts | {"group": newer}, OPEN)


def test_extensions_and_dropped_proposals() -> None:
    alice, bob = gather(people(2))
    public = watch(alice)
    received = public.process(bob.propose_group_context_extensions([]), now=NOW)
    assert isinstance(received, ProposalReceived)
    public.drop_proposal(received.reference)
    with pytest.raises(UnknownProposal):
        public.drop_proposal(received.reference)
    change = GroupContextExtensions((Roles({b"x": Role.OWNER}).extension(),))
    public.apply(check(public, alice.commit([change], now=NOW).message))
    assert public.extensions == change.extensions


def test_a_member_and_the_service_refuse_the_same() -> None:
    """Commits that a member changed at random and signed: whatever needs no secret, both refuse for the same reason."""
    dice = random.Random(1)
    groups = gather(people(5), force_path=True)
    alice, bob = groups[:2]
    public, epoch = watch(alice), alice._state.epoch
    outcomes = set()
    for number in range(400):
        proposals: list[Add | Remove] = [Remove(3)] if number % 3 == 0 else []
        if number % 3 == 1:
            proposals.append(Add(package(Person(f"{number}").bundle())))
        message = decode_message(alice.commit(proposals, now=NOW).message)
        assert isinstance(message, PublicMessage)
        raw = bytearray(message.content.framed.encoded)
        position = dice.randrange(20, len(raw))
        raw[position] ^= 1 << dice.randrange(8)
        try:
            framed = decode_exactly(bytes(raw), FramedContent.decode)
        except DecodeError:
            continue
        content = AuthenticatedContent.sign(
            epoch.crypto, WireFormat.PUBLIC_MESSAGE, framed, epoch.context, epoch.own.signer
        ).confirmed(message.content.confirmation_tag or b"")
        changed = encode_message(protect_public(epoch.crypto, content, epoch.context, epoch.secrets.membership_key))
        outcomes.add((_outcome(partial(bob.process, changed)), _outcome(partial(public.process, changed))))
    only_members = {
        ("InvalidCommit: the confirmation tag does not verify", None),
        ("DecryptionFailed: ciphertext does not authenticate", None),
    }
    assert only_members <= outcomes
    assert len(outcomes) > 3
    assert all(member == service for member, service in outcomes - only_members)


def _outcome(process: Callable[..., object]) -> str | None:
    try:
        process(now=NOW)
    except CryptoError as error:
        return f"{type(error).__name__}: {error}"
    return None
