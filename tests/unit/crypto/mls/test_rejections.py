"""What a dishonest member or server tries, and what it gets: one typed error, and a state that has not changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from crypto.errors import CryptoError
from crypto.mls import (
    Add,
    BasicCredential,
    Capabilities,
    CipherSuite,
    Extension,
    ExternalInit,
    Group,
    GroupContextExtensions,
    InvalidCommit,
    InvalidCredential,
    InvalidKeyPackage,
    InvalidLeafNode,
    InvalidMessage,
    InvalidProposal,
    InvalidSignature,
    InvalidTree,
    KeyPackage,
    LeafNode,
    LeafNodeSource,
    Lifetime,
    PreSharedKey,
    Proposal,
    Psks,
    ReInit,
    Remove,
    RequiredCapabilities,
    UnknownProposal,
    Update,
    WrongEpoch,
    WrongGroup,
    X509Credential,
    commit_creation,
)
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.framing import AuthenticatedContent, Content, FramedContent, Sender, WireFormat
from crypto.mls.messages import decode_message, encode_message
from crypto.mls.proposals import Commit
from crypto.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage
from crypto.mls.public_message import PublicMessage, protect_public
from crypto.mls.tree_validation import LeafRules
from crypto.mls.update_path import UpdatePath
from tests.unit.crypto.mls.party import LIFETIME, NOW, OPEN, Person, follow, gather, package, people

PSKS = Psks({b"psk": b"secret"})
OTHER_SUITE = CipherSuite.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519


@contextmanager
def unchanged(*groups: Group) -> Iterator[None]:
    before = [group.serialize() for group in groups]
    yield
    assert [group.serialize() for group in groups] == before


@contextmanager
def dishonest() -> Iterator[None]:
    """Commits made in here are not checked by who makes them."""
    with pytest.MonkeyPatch.context() as patch:
        for check in ("check_member_list", "check_extension_support", "check_members_agree"):
            patch.setattr(commit_creation, check, lambda *_: None)
        patch.setattr(LeafRules, "check_support", lambda *_: None)
        yield


def new(**options: Any) -> KeyPackage:
    return package(Person("newcomer").bundle(**options))


def resigned(key_package: KeyPackage, person: Person, **changes: object) -> KeyPackage:
    """With changes of the leaf, by its owner."""
    crypto = suite_crypto(person.suite)
    leaf = replace(key_package.leaf_node, **changes).signed(crypto, person.signer.key)  # type: ignore[arg-type]
    unsigned = replace(key_package, leaf_node=leaf)
    signature = crypto.sign_with_label(person.signer.key, "KeyPackageTBS", unsigned.content)
    return replace(unsigned, signature=signature)


def without(capabilities: Capabilities, **changes: tuple[int, ...]) -> dict[str, Any]:
    return {"capabilities": replace(capabilities, **changes)}


EVE = Person("eve")
OFFER = package(EVE.bundle())
DEFAULTS = Capabilities.default()
NONCE = bytes(32)

INVALID_PROPOSALS: dict[str, tuple[list[Proposal], type[CryptoError]]] = {
    "remove nobody": ([Remove(5)], InvalidProposal),
    "remove outside of the tree": ([Remove(2**32 - 1)], InvalidProposal),
    "remove twice": ([Remove(1), Remove(1)], InvalidProposal),
    "add twice": ([Add(OFFER), Add(package(EVE.bundle()))], InvalidProposal),
    "add a member": ([Add(package(Person("person 1").bundle()))], InvalidLeafNode),
    "two extension lists": ([GroupContextExtensions(()), GroupContextExtensions(())], InvalidProposal),
    "reinit and more": ([ReInit.of(b"x", 1), Remove(1)], InvalidProposal),
    "reinit to an older version": ([ReInit(b"x", 0, 1, ())], InvalidProposal),
    "external init": ([ExternalInit(bytes(32))], InvalidProposal),
    "short psk nonce": ([PreSharedKey(ExternalPskId(b"psk", NONCE[1:]))], InvalidProposal),
    "psk twice": ([PreSharedKey(ExternalPskId(b"psk", NONCE))] * 2, InvalidProposal),
    "psk of a branch": (
        [PreSharedKey(ResumptionPskId(ResumptionUsage.BRANCH, b"group", 1, NONCE))],
        InvalidProposal,
    ),
    "psk of a reinit": (
        [PreSharedKey(ResumptionPskId(ResumptionUsage.REINIT, b"group", 1, NONCE))],
        InvalidProposal,
    ),
    "unsupported group extension": ([GroupContextExtensions((Extension(0xF00F, b""),))], InvalidLeafNode),
    "unsupported required capability": (
        [GroupContextExtensions((RequiredCapabilities(proposal_types=(0xF00F,)).extension(),))],
        InvalidLeafNode,
    ),
    "key package for another suite": ([Add(package(Person("x", OTHER_SUITE).bundle()))], InvalidKeyPackage),
    "key package of another version": ([Add(replace(OFFER, version=2))], InvalidKeyPackage),
    "key package signature": ([Add(replace(OFFER, extensions=(Extension(0x1A1A, b""),)))], InvalidSignature),
    "key package with one key": (
        [Add(replace(OFFER, init_key=OFFER.leaf_node.encryption_key))],
        InvalidKeyPackage,
    ),
    "leaf signature": (
        [Add(resigned(OFFER, Person("mallory"), signature_key=EVE.signer.public_key))],
        InvalidSignature,
    ),
    "key package with a useless init key": ([Add(replace(OFFER, init_key=bytes(32)))], InvalidKeyPackage),
    "leaf with a useless key": ([Add(resigned(OFFER, EVE, encryption_key=b"short"))], InvalidLeafNode),
    "leaf from an update": (
        [Add(resigned(OFFER, EVE, source=LeafNodeSource.UPDATE, lifetime=None))],
        InvalidLeafNode,
    ),
    "leaf extension not listed": (
        [Add(new(leaf_extensions=[Extension(0xF00F, b"")], capabilities=DEFAULTS))],
        InvalidLeafNode,
    ),
    "leaf without its credential type": (
        [Add(new(**without(DEFAULTS, credentials=(2,))))],
        InvalidLeafNode,
    ),
    "leaf without a credential type in use": (
        [Add(resigned(OFFER, EVE, credential=X509Credential(()), **without(DEFAULTS, credentials=(2,))))],
        InvalidCredential,
    ),
    "leaf without the suite": ([Add(new(**without(DEFAULTS, cipher_suites=(2,))))], InvalidLeafNode),
    "leaf without the version": ([Add(new(**without(DEFAULTS, versions=())))], InvalidLeafNode),
    "lifetime too long": ([Add(new(lifetime=Lifetime(0, 2**64 - 1)))], InvalidLeafNode),
    "lifetime ends before it begins": ([Add(new(lifetime=Lifetime(NOW, NOW - 1)))], InvalidLeafNode),
}


IMPOSSIBLE = ("remove nobody", "remove outside of the tree", "key package with a useless init key")


@pytest.mark.parametrize("name", INVALID_PROPOSALS)
def test_an_invalid_list_is_neither_committed(name: str) -> None:
    proposals, error = INVALID_PROPOSALS[name]
    alice, bob, _ = gather(people(3))
    with unchanged(alice, bob), pytest.raises(error):
        alice.commit(proposals, now=NOW, psks=PSKS)


@pytest.mark.parametrize("name", INVALID_PROPOSALS)
def test_nor_followed(name: str) -> None:
    proposals, error = INVALID_PROPOSALS[name]
    alice, _, carol = gather(people(3))
    psks = Psks(PSKS.external, alice._state.resumption_psks())
    if name in IMPOSSIBLE:  # not even a dishonest member can follow these
        message = reframed(alice, alice.commit(now=NOW).message, lambda c: Commit(tuple(proposals), c.path))
    else:
        with dishonest():
            message = alice.commit(proposals, now=NOW, psks=psks).message
    with unchanged(carol), pytest.raises(error):
        carol.process(message, now=NOW, psks=psks)


def test_expired_key_packages_are_not_added_but_accepted_from_others() -> None:
    groups = gather(people(3))
    key_package = new(lifetime=Lifetime(NOW, NOW + 10))
    with pytest.raises(InvalidLeafNode):
        groups[0].commit([Add(key_package)], now=NOW + 11)
    with pytest.raises(InvalidLeafNode):
        groups[0].propose_add(key_package, now=NOW - 1)
    commit = groups[0].commit([Add(key_package)], now=NOW + 10)
    follow(groups[1], commit.message, now=NOW + 1000)
    strict = Group.restore(groups[2].serialize(), Person("x").randomness, replace(OPEN, check_received_lifetimes=True))
    with unchanged(strict), pytest.raises(InvalidLeafNode):
        strict.process(commit.message, now=NOW + 1000)
    follow(strict, commit.message, now=NOW + 10)


def reframed(group: Group, message: bytes, change: Callable[[Commit], Content], tag: bytes | None = None) -> bytes:
    """A commit of ``group``'s member with changed content, signed and authenticated by that member."""
    public = decode_message(message)
    assert isinstance(public, PublicMessage)
    old = public.content.framed
    assert isinstance(old.content, Commit)
    epoch = group._state.epoch
    framed = FramedContent(old.group_id, old.epoch, old.sender, b"", change(old.content))
    signed = AuthenticatedContent.sign(epoch.crypto, WireFormat.PUBLIC_MESSAGE, framed, epoch.context, epoch.own.signer)
    signed = signed.confirmed(tag or public.content.confirmation_tag or b"")
    return encode_message(protect_public(epoch.crypto, signed, epoch.context, epoch.secrets.membership_key))


def changed_path(change: Callable[[UpdatePath], UpdatePath | None]) -> Callable[[Commit], Commit]:
    def apply(commit: Commit) -> Commit:
        assert commit.path is not None
        return Commit(commit.proposals, change(commit.path))

    return apply


def path_of(group: Group, **leaf: object) -> Callable[[UpdatePath], UpdatePath]:
    """The path with changes of its leaf, signed by the committer."""

    def change(path: UpdatePath) -> UpdatePath:
        changed: LeafNode = replace(path.leaf_node, **leaf)  # type: ignore[arg-type]
        signer = group._state.epoch.own.signer
        crypto = group._state.epoch.crypto
        return UpdatePath(changed.signed(crypto, signer, group.group_id, group.own_leaf), path.nodes)

    return change


def test_paths_that_do_not_hold_what_they_promise() -> None:
    groups = gather(people(5), force_path=True)
    alice, carol = groups[0], groups[2]
    commit = alice.commit(now=NOW)
    own_leaf = alice.members[0].leaf_node
    parent_key = next(node.encryption_key for _, node in alice._state.epoch.tree.parents())

    def nodes(change: Callable[[UpdatePath], UpdatePath]) -> Callable[[Commit], Commit]:
        return changed_path(change)

    attempts: dict[str, tuple[Callable[[Commit], Commit], type[CryptoError]]] = {
        "no path at all": (changed_path(lambda path: None), InvalidCommit),
        "too short": (nodes(lambda p: replace(p, nodes=p.nodes[:-1])), InvalidTree),
        "too long": (nodes(lambda p: replace(p, nodes=(*p.nodes, p.nodes[-1]))), InvalidTree),
        "a ciphertext missing": (
            nodes(lambda p: replace(p, nodes=(*p.nodes[:-1], replace(p.nodes[-1], encrypted_path_secret=())))),
            InvalidTree,
        ),
        "another node key": (
            nodes(lambda p: replace(p, nodes=(replace(p.nodes[0], encryption_key=OFFER.init_key), *p.nodes[1:]))),
            InvalidTree,
        ),
        "a useless node key": (
            nodes(lambda p: replace(p, nodes=(replace(p.nodes[0], encryption_key=bytes(32)), *p.nodes[1:]))),
            InvalidTree,
        ),
        "a useless leaf key": (changed_path(path_of(alice, encryption_key=bytes(32))), InvalidLeafNode),
        "a node key twice": (
            nodes(
                lambda p: replace(
                    p,
                    nodes=(replace(p.nodes[0], encryption_key=p.nodes[1].encryption_key), *p.nodes[1:]),
                )
            ),
            InvalidTree,
        ),
        "a leaf key that is in use": (
            changed_path(path_of(alice, encryption_key=parent_key)),
            InvalidTree,
        ),
        "the same leaf key": (
            changed_path(path_of(alice, encryption_key=own_leaf.encryption_key)),
            InvalidLeafNode,
        ),
        "another parent hash": (changed_path(path_of(alice, parent_hash=bytes(32))), InvalidTree),
        "an update leaf": (
            changed_path(path_of(alice, source=LeafNodeSource.UPDATE, parent_hash=None)),
            InvalidLeafNode,
        ),
        "another person's credential": (
            changed_path(path_of(alice, credential=BasicCredential(b"person 1"))),
            InvalidLeafNode,
        ),
        "another member's signature": (changed_path(path_of(groups[1])), InvalidSignature),
        "a suite unsupported": (
            changed_path(path_of(alice, capabilities=replace(DEFAULTS, cipher_suites=(2,)))),
            InvalidLeafNode,
        ),
    }
    for name, (change, error) in attempts.items():
        with unchanged(carol):
            try:
                carol.process(reframed(alice, commit.message, change), now=NOW)
            except error:
                continue
            pytest.fail(name)
    with unchanged(carol), pytest.raises(InvalidCommit, match="confirmation tag"):
        carol.process(reframed(alice, commit.message, lambda c: c, tag=bytes(32)), now=NOW)
    follow(carol, commit.message)


def test_a_committer_neither_updates_nor_removes_itself_by_proposal() -> None:
    alice, bob, _ = gather(people(3))
    commit = alice.commit(now=NOW)
    leaf = bob.members[0].leaf_node
    for proposal in (Remove(0), Update(leaf)):
        message = reframed(alice, commit.message, lambda c, p=proposal: Commit((p,), c.path))  # type: ignore[misc]
        with unchanged(bob), pytest.raises(CryptoError):
            bob.process(message, now=NOW)
        with unchanged(alice), pytest.raises(CryptoError):
            alice.commit([proposal], now=NOW)


def test_a_reference_to_a_proposal_never_received() -> None:
    alice, bob, _ = gather(people(3))
    alice.propose_remove(2)
    with unchanged(bob), pytest.raises(UnknownProposal):
        bob.process(alice.commit(now=NOW).message, now=NOW)


def test_an_update_and_a_removal_of_the_same_member() -> None:
    groups = gather(people(4))
    alice, bob, carol, dora = groups
    messages = [bob.propose_update(now=NOW), carol.propose_remove(1)]
    for message in messages:
        dora.process(message, now=NOW)
    for message, sender in zip(messages, (bob, carol), strict=True):
        for group in groups:
            if group not in (sender, dora):
                group.process(message, now=NOW)
    references = tuple(p.reference for p in dora.pending_proposals)
    commit = dora.commit(now=NOW)
    with unchanged(alice), pytest.raises(InvalidProposal):
        alice.process(reframed(dora, commit.message, lambda c: Commit(references, c.path)), now=NOW)


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_invalid_proposals_are_not_remembered(private: bool) -> None:
    wire_format = WireFormat.PRIVATE_MESSAGE if private else WireFormat.PUBLIC_MESSAGE
    alice, bob = gather(people(2))
    epoch = alice._state.epoch
    for name, (proposals, _) in INVALID_PROPOSALS.items():
        if len(proposals) > 1 or name in (
            "add a member",
            "unsupported group extension",
            "unsupported required capability",
        ):
            continue  # valid alone
        content = alice._sign(proposals[0], wire_format, b"")
        message = encode_message(commit_creation.protect(epoch, content, Person("x").randomness))
        with unchanged(bob), pytest.raises(CryptoError):
            bob.process(message, now=NOW)


def test_an_update_with_a_useless_key() -> None:
    alice, bob = gather(people(2))
    alice.propose_update(now=NOW)
    update = alice.pending_proposals[0].proposal
    assert isinstance(update, Update)
    epoch = alice._state.epoch
    leaf = replace(update.leaf_node, encryption_key=bytes(32)).signed(epoch.crypto, epoch.own.signer, b"group", 0)
    content = alice._sign(Update(leaf), WireFormat.PUBLIC_MESSAGE, b"")
    message = encode_message(commit_creation.protect(epoch, content, Person("x").randomness))
    with unchanged(bob), pytest.raises(InvalidLeafNode):
        bob.process(message, now=NOW)


def test_somebody_elses_update() -> None:
    alice, bob, carol = gather(people(3))
    carol.propose_update(now=NOW)
    update = carol.pending_proposals[0].proposal
    message = encode_message(
        commit_creation.protect(
            alice._state.epoch, alice._sign(update, WireFormat.PUBLIC_MESSAGE, b""), Person("x").randomness
        )
    )
    with unchanged(bob), pytest.raises(InvalidSignature):
        bob.process(message, now=NOW)


def test_messages_in_the_wrong_place() -> None:
    alice, bob = gather(people(2))
    strangers = gather([Person("s1"), Person("s2")])
    other = Person("other").found(b"another group")
    commit = alice.commit(now=NOW)
    with unchanged(bob), pytest.raises(WrongGroup):
        bob.process(other.encrypt(b"x"), now=NOW)
    with unchanged(bob), pytest.raises(WrongGroup):
        bob.process(other.propose_remove(0), now=NOW)
    with unchanged(bob), pytest.raises(CryptoError):
        bob.process(strangers[0].commit(now=NOW).message, now=NOW)
    with unchanged(alice), pytest.raises(InvalidCommit):
        alice.process(commit.message, now=NOW)
    follow(bob, commit.message)
    with unchanged(bob), pytest.raises(WrongEpoch):
        bob.process(commit.message, now=NOW)
    with unchanged(bob), pytest.raises(InvalidMessage):
        bob.process(Person("x").bundle().message(), now=NOW)
    alice.apply(commit)
    proposal = alice.propose_remove(1)
    with unchanged(bob), pytest.raises(InvalidMessage):
        bob.decrypt(proposal)


def test_the_membership_tag_keeps_former_members_out() -> None:
    alice, bob, carol = gather(people(3))
    message = decode_message(alice.propose_remove(2))
    assert isinstance(message, PublicMessage)
    with unchanged(bob), pytest.raises(InvalidMessage):
        bob.process(encode_message(replace(message, membership_tag=bytes(32))), now=NOW)
    impostor = Sender.member(0)
    framed = FramedContent(b"group", alice.epoch, impostor, b"", Remove(1))
    epoch = carol._state.epoch
    forged = AuthenticatedContent.sign(epoch.crypto, WireFormat.PUBLIC_MESSAGE, framed, epoch.context, epoch.own.signer)
    tagged = protect_public(epoch.crypto, forged, epoch.context, epoch.secrets.membership_key)
    with unchanged(bob), pytest.raises(InvalidSignature):
        bob.process(encode_message(tagged), now=NOW)


def test_application_data_in_the_clear() -> None:
    alice, bob = gather(people(2))
    content = alice._sign(b"psst", WireFormat.PUBLIC_MESSAGE, b"")
    with pytest.raises(InvalidMessage):
        protect_public(alice._state.epoch.crypto, content, alice._state.epoch.context, bytes(32))
    message = encode_message(PublicMessage(content, bytes(32)))
    with unchanged(bob), pytest.raises(InvalidMessage):
        bob.process(message, now=NOW)


def test_a_group_of_members_who_cannot_read_each_others_credentials() -> None:
    only_basic = replace(DEFAULTS, credentials=(1,))
    alice, bob = people(2)
    group = alice.found(capabilities=only_basic)
    bundle = bob.bundle()
    certificate = resigned(bundle.key_package, bob, credential=X509Credential((b"not a certificate",)))
    with pytest.raises(InvalidCredential):
        group.commit([Add(certificate)], now=NOW)
    assert LIFETIME.contains(NOW)
