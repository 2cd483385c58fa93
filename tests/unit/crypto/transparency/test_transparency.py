"""The log of identity keys: RFC 6962's tree and proofs, and what an honest client does not believe."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.randomness import SeededRandomness
from crypto.transparency import (
    IdentityEntry,
    LogAuditor,
    MerkleTree,
    ProofInvalid,
    SignedTreeHead,
    TreeHead,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

FOLDER = Path(__file__).parents[3] / "vectors" / "transparency"
KNOWN = json.loads((FOLDER / "rfc6962-tree.json").read_text())
GOLDEN = json.loads((FOLDER / "auditor-1.json").read_text())
LOG_KEY = bytes(range(32))
LOG_PUBLIC = Ed25519PrivateKey.from_private_bytes(LOG_KEY).public_key().public_bytes_raw()
IDENTITY = IdentityKeyPair.generate(SeededRandomness(b"transparency")).public


def mth(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    n = len(entries)
    if n == 0:
        return hashlib.sha256().digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH of §2.1.1."""
    n = len(entries)
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: list[bytes], complete: bool) -> list[bytes]:
    """SUBPROOF of §2.1.2; PROOF(m, D) is SUBPROOF(m, D, true)."""
    n = len(entries)
    if m == n:
        return [] if complete else [mth(entries)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*subproof(m, entries[:k], complete), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


def entries_of(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def tree_of(entries: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    for entry in entries:
        tree.append(entry)
    return tree


def test_the_known_roots_of_certificate_transparency() -> None:
    """The eight inputs that Certificate Transparency's implementations test each other with."""
    tree = MerkleTree()
    assert tree.root().hex() == KNOWN["roots"][0]
    for entry, root in zip(KNOWN["entries"], KNOWN["roots"][1:], strict=True):
        tree.append(bytes.fromhex(entry))
        assert tree.root().hex() == root


def test_trees_and_proofs_are_the_rfc_s_for_every_size() -> None:
    entries = entries_of(33)
    tree = tree_of(entries)
    for size in range(34):
        assert tree.root(size) == mth(entries[:size])
        for index in range(size):
            proof = tree.inclusion_proof(index, size)
            assert proof == path(index, entries[:size])
            verify_inclusion(entries[index], index, size, tree.root(size), proof)
        for old in range(1, size + 1):
            proof = tree.consistency_proof(old, size)
            assert proof == subproof(old, entries[:size], True)
            verify_consistency(old, tree.root(old), size, tree.root(size), proof)


SIZES = st.integers(1, 70)


@settings(max_examples=150, deadline=None)
@given(SIZES, st.data())
def test_an_inclusion_proof_proves_nothing_else(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    tree = tree_of(entries)
    index = data.draw(st.integers(0, size - 1))
    proof, root = tree.inclusion_proof(index), tree.root()
    wrong: list[tuple[bytes, int, int, bytes, list[bytes]]] = [
        (b"another entry", index, size, root, proof),
        (entries[index], index, size, leaf_hash(b""), proof),
        (entries[index], index, size, root, [*proof, bytes(32)]),
        (entries[index], -1, size, root, proof),
        (entries[index], size, size, root, proof),
    ]
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        wrong.append((entries[index], other, size, root, proof))
    if proof:
        wrong.append((entries[index], index, size, root, proof[:-1]))
        wrong.append((entries[index], index, size, root, proof[1:]))
        flipped = bytes([proof[0][0] ^ 1]) + proof[0][1:]
        wrong.append((entries[index], index, size, root, [flipped, *proof[1:]]))
    for arguments in wrong:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*arguments)


@settings(max_examples=150, deadline=None)
@given(SIZES, st.data())
def test_a_log_that_rewrote_its_past_has_no_consistency_proof(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    honest = tree_of(entries_of(size))
    rewritten = entries_of(size)
    rewritten[data.draw(st.integers(0, old - 1))] = b"rewritten"
    liar = tree_of(rewritten)
    for proof in (liar.consistency_proof(old), honest.consistency_proof(old), [], [honest.root(old)]):
        with pytest.raises(ProofInvalid):
            verify_consistency(old, honest.root(old), size, liar.root(), proof)
    proof = honest.consistency_proof(old)
    for altered in ([*proof, bytes(32)], [bytes(32), *proof], proof[:-1], proof[1:]):
        if altered != proof:
            with pytest.raises(ProofInvalid):
                verify_consistency(old, honest.root(old), size, honest.root(), altered)


def test_a_log_does_not_shrink_and_everything_extends_the_empty_log() -> None:
    tree = tree_of(entries_of(5))
    with pytest.raises(ProofInvalid):
        verify_consistency(5, tree.root(5), 4, tree.root(4), [])
    verify_consistency(0, MerkleTree().root(), 5, tree.root(), [])
    with pytest.raises(ProofInvalid):
        verify_consistency(0, tree.root(), 5, tree.root(), [])


def test_a_log_that_starts_again_from_its_leaf_hashes_is_the_same() -> None:
    entries = entries_of(21)
    again = MerkleTree(leaf_hash(entry) for entry in entries)
    assert again.size == 21
    assert again.root() == tree_of(entries).root()
    assert again.append(b"one more") == 21


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (0, 6)])
def test_there_is_no_inclusion_proof_for_what_is_not_in_the_log(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="the"):
        tree_of(entries_of(5)).inclusion_proof(index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3), (5, 6)])
def test_there_is_no_consistency_proof_between_sizes_that_the_log_did_not_have(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="the"):
        tree_of(entries_of(5)).consistency_proof(old, size)


# Tree heads and the auditor


def signed(tree: MerkleTree, timestamp: int, size: int | None = None) -> SignedTreeHead:
    size = tree.size if size is None else size
    return SignedTreeHead.sign(TreeHead(timestamp, size, tree.root(size)), LOG_KEY)


def test_a_signed_head_is_read_back_and_any_altered_byte_breaks_it() -> None:
    encoded = signed(tree_of(entries_of(3)), 1_000).encode()
    SignedTreeHead.decode(encoded).verify(LOG_PUBLIC)
    for index in range(len(encoded)):
        altered = bytearray(encoded)
        altered[index] ^= 1 << index % 8
        with pytest.raises((DecodeError, ProofInvalid)):
            SignedTreeHead.decode(bytes(altered)).verify(LOG_PUBLIC)
        with pytest.raises(DecodeError):
            SignedTreeHead.decode(encoded[:index])
    with pytest.raises(ProofInvalid):
        SignedTreeHead.decode(encoded).verify(bytes(32))


def entry(number: int) -> IdentityEntry:
    return IdentityEntry("ada", number, IDENTITY, 1_000 + number)


def test_a_client_follows_the_log_and_finds_its_key() -> None:
    tree = MerkleTree()
    auditor = LogAuditor(LOG_PUBLIC)
    with pytest.raises(ProofInvalid):
        auditor.check(entry(0), 0, [])
    seen = 0
    for number in range(10):
        tree.append(entry(number).encode())
        if number % 3 == 0:
            auditor.advance(signed(tree, number), tree.consistency_proof(seen) if seen else [])
            seen = tree.size
    for number in range(10):
        auditor.check(entry(number), number, tree.inclusion_proof(number))
        with pytest.raises(ProofInvalid):
            auditor.check(replace(entry(number), user="bob"), number, tree.inclusion_proof(number))


def test_a_client_does_not_follow_a_fork_a_rollback_or_a_forged_head() -> None:
    tree = tree_of(entries_of(8))
    auditor = LogAuditor(LOG_PUBLIC)
    auditor.advance(signed(tree, 100, 5), [])
    before = auditor.serialize()
    fork = tree_of([*entries_of(4), b"another", *entries_of(3)])
    forged = SignedTreeHead.sign(TreeHead(200, 8, tree.root()), bytes(32))
    for head, proof in (
        (signed(fork, 200), fork.consistency_proof(5)),
        (signed(tree, 200, 4), []),
        (signed(tree, 99, 8), tree.consistency_proof(5, 8)),
        (signed(tree, 200, 8), []),
        (forged, tree.consistency_proof(5, 8)),
    ):
        with pytest.raises(ProofInvalid):
            auditor.advance(head, proof)
        assert auditor.serialize() == before
    auditor.advance(signed(tree, 200, 8), tree.consistency_proof(5, 8))
    assert auditor.head == signed(tree, 200, 8)


def test_the_golden_state_is_still_read_and_written() -> None:
    state = bytes.fromhex(GOLDEN["auditor"])
    auditor = LogAuditor.restore(state, LOG_PUBLIC)
    assert auditor.serialize() == state
    tree = tree_of([entry(number).encode() for number in range(7)])
    fresh = LogAuditor(LOG_PUBLIC)
    fresh.advance(signed(tree, 5_000), [])
    assert fresh.serialize() == state
    auditor.check(entry(3), 3, [bytes.fromhex(sibling) for sibling in GOLDEN["inclusion_of_3"]])
    assert entry(3).encode().hex() == GOLDEN["entry_3"]


def test_a_state_of_another_log_or_a_newer_version_is_refused() -> None:
    state = bytes.fromhex(GOLDEN["auditor"])
    with pytest.raises(DecodeError):
        LogAuditor.restore(state, bytes(32))
    with pytest.raises(UnsupportedStateVersion):
        LogAuditor.restore(b"\x02" + state[1:], LOG_PUBLIC)
    for length in range(len(state)):
        with pytest.raises(DecodeError):
            LogAuditor.restore(state[:length], LOG_PUBLIC)


@given(st.text(max_size=60), st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 2**64 - 1))
def test_entries_are_read_back(user: str, device: int, removed: bool, timestamp: int) -> None:
    written = IdentityEntry(user, device, None if removed else IDENTITY, timestamp)
    assert IdentityEntry.decode(written.encode()) == written


@given(st.binary(max_size=120))
def test_any_bytes_are_an_entry_or_a_decode_error(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        try:
            decoded = IdentityEntry.decode(candidate)
        except DecodeError:
            continue
        assert decoded.encode() == candidate


def test_a_name_that_is_too_long_is_not_written() -> None:
    with pytest.raises(ValueError, match="256"):
        replace(entry(0), user="a" * 257).encode()


def test_an_identity_that_cannot_verify_is_no_entry() -> None:
    encoded = replace(entry(0), identity=IdentityKey(b"\xff" * 32)).encode()
    with pytest.raises(DecodeError):
        IdentityEntry.decode(encoded)


# Nodes of another length: the boundary between two children must not move


def test_nodes_of_64_and_0_bytes_do_not_rewrite_history() -> None:
    """The log has shown three entries. It replaces the second one, and all hashes fit but for their lengths."""
    tree = tree_of(entries_of(3))
    first_two, third = tree.root(2), leaf_hash(b"entry 2")
    assert hashlib.sha256(b"\x01" + first_two + third).digest() == tree.root()

    forged = b"a key of the log's own"
    inner = hashlib.sha256(b"\x01" + first_two + third + leaf_hash(forged)).digest()
    root = hashlib.sha256(b"\x01" + inner).digest()
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_consistency(3, tree.root(), 4, root, [first_two + third, leaf_hash(forged), b""])
    for index in (1, 3):  # the old second entry, and the new one
        with pytest.raises(ProofInvalid, match="32 bytes"):
            verify_inclusion(forged, index, 4, root, [first_two + third, b""])


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_every_node_and_root_has_32_bytes(length: int) -> None:
    tree = tree_of(entries_of(5))
    inclusion, consistency = tree.inclusion_proof(0), tree.consistency_proof(3)
    node = bytes(length)
    for position in range(len(inclusion)):
        with pytest.raises(ProofInvalid, match="32 bytes"):
            verify_inclusion(b"entry 0", 0, 5, tree.root(), [*inclusion[:position], node, *inclusion[position + 1 :]])
    for position in range(len(consistency)):
        proof = [*consistency[:position], node, *consistency[position + 1 :]]
        with pytest.raises(ProofInvalid, match="32 bytes"):
            verify_consistency(3, tree.root(3), 5, tree.root(), proof)
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_inclusion(b"entry 0", 0, 5, node, inclusion)
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_consistency(3, node, 5, tree.root(), consistency)
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_consistency(3, tree.root(3), 5, node, consistency)
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_consistency(5, node, 5, node, [])
    with pytest.raises(ValueError, match="32 bytes"):
        tree.append_hash(node)
