"""No proposal of another keeps a member from committing, and no tree keeps a joiner busy."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crypto.errors import DecodeError
from crypto.mls import (
    Add,
    CommitApplied,
    Group,
    InvalidTree,
    KeyPackage,
    LeafNode,
    Proposal,
    Remove,
    SignatureKeyPair,
    WireFormat,
)
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.codec import opaque, vector
from crypto.mls.commit_creation import protect
from crypto.mls.messages import encode_message
from crypto.mls.ratchet_tree import RatchetTree
from tests.unit.crypto.mls.party import NOW, OPEN, Person, gather, package, people, settle


def offer(person: Person, signer: SignatureKeyPair | None = None, **leaf: bytes) -> KeyPackage:
    """A KeyPackage of ``person`` with other keys, correctly signed."""
    signer = signer or person.signer
    bundle, crypto = person.bundle(), suite_crypto(person.suite)
    changed: LeafNode = replace(
        bundle.key_package.leaf_node,
        signature_key=signer.public_key,
        **leaf,  # type: ignore[arg-type]
    ).signed(crypto, signer.key)
    unsigned = replace(bundle.key_package, leaf_node=changed)
    return replace(unsigned, signature=crypto.sign_with_label(signer.key, "KeyPackageTBS", unsigned.content))


def propose(proposer: Group, others: Sequence[Group], proposals: Sequence[Proposal]) -> None:
    for proposal in proposals:
        content = proposer._sign(proposal, WireFormat.PUBLIC_MESSAGE, b"")
        message = encode_message(protect(proposer._state.epoch, content, Person("x").randomness))
        for group in others:
            group.process(message, now=NOW)


def test_a_twin_key_blocks_no_commit() -> None:
    """Mallory's signature key is, byte for byte, the encryption key of a second leaf of hers. Once her removal is
    proposed, a third leaf with that encryption key must not slip in."""
    alice, bob, mallory = people(3)
    groups = gather([alice, bob, mallory])
    twin = mallory.signer.public_key
    first = groups[0].commit([Add(offer(Person("accomplice"), encryption_key=twin))], now=NOW)
    settle(groups, groups[0], first)
    third = offer(Person("third"), encryption_key=twin)
    propose(groups[2], groups[:2], [Remove(2), Add(third)])
    result = groups[0].apply(groups[0].commit(now=NOW))
    assert (result.removed, result.added) == ((2,), ())


def test_the_committers_next_signature_key_is_taken() -> None:
    persons = people(3)
    groups = gather(persons)
    following = SignatureKeyPair.generate(groups[0].suite, persons[0].randomness)
    propose(groups[1], [groups[0], groups[2]], [Add(offer(Person("eve"), following))])
    commit = groups[0].commit(now=NOW, signer=following)
    assert groups[0].apply(commit).added == ()


def test_a_key_that_the_committer_adds_by_value_stays_taken_when_its_old_owner_leaves() -> None:
    persons = people(3)
    groups = gather(persons)
    again, twice = offer(Person("again"), persons[2].signer), offer(Person("twice"), persons[2].signer)
    propose(groups[1], [groups[0]], [Remove(2), Add(twice)])
    assert len(groups[0].apply(groups[0].commit([Add(again)], now=NOW)).added) == 1


def test_more_additions_than_the_tree_may_have_leaves() -> None:
    small = replace(OPEN, max_width=4)
    groups = gather(people(3, policy=small))
    packages = [package(Person(f"newcomer {number}").bundle()) for number in range(3)]
    propose(groups[1], [groups[0]], [Add(each) for each in packages])
    commit = groups[0].commit(now=NOW)
    assert len(groups[0].apply(commit).added) == 1
    with pytest.raises(InvalidTree, match="more leaves"):
        groups[2].commit([Add(each) for each in packages], now=NOW)
    wide = Group.restore(groups[2].serialize(), Person("x").randomness, OPEN)
    with pytest.raises(InvalidTree, match="more leaves"):
        groups[1].process(wide.commit([Add(each) for each in packages], now=NOW).message, now=NOW)


def test_a_tree_of_blanks_is_refused_before_it_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = people(2)
    group, bundle = alice.found(), bob.bundle()
    commit = group.commit([Add(package(bundle))], now=NOW, tree_in_welcome=False)
    leaf = b"\x01\x01" + group.members[0].leaf_node.encoded
    blanks = opaque(leaf + bytes((1 << 20) - 1) + leaf)

    def unexpected(*_: object) -> bytes:
        raise AssertionError("hashed")

    monkeypatch.setattr(RatchetTree, "_compute_hash", unexpected)
    with pytest.raises(DecodeError, match="more leaves"):
        bob.join(commit.welcome, bundle, blanks)


def test_the_widest_tree_allowed_is_read() -> None:
    alice = gather(people(4))[0]
    tree = alice.ratchet_tree()
    crypto = suite_crypto(alice.suite)
    assert RatchetTree.decode(crypto, tree, 4).width == 4
    with pytest.raises(DecodeError):
        RatchetTree.decode(crypto, tree, 2)
    assert vector([]) == b"\0"
    assert isinstance(alice.apply(alice.commit(now=NOW)), CommitApplied)
