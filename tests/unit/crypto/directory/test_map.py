"""The sparse Merkle tree: every proof it gives verifies, and none proves anything else."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import wire
from crypto.directory import MapProof, SparseTree
from crypto.directory.map_proof import EMPTY, leaf_hash, node_hash
from crypto.errors import DecodeError
from crypto.transparency import ProofInvalid

HASHES = st.binary(min_size=32, max_size=32)
# Indexes that share long prefixes, too: one byte repeated, with one bit changed somewhere.
CLOSE = st.tuples(st.sampled_from([0, 255]), st.integers(0, 255)).map(
    lambda made: (int.from_bytes(bytes([made[0]]) * 32, "big") ^ 1 << made[1]).to_bytes(32, "big")
)
INDEXES = HASHES | CLOSE


def naive_root(leaves: dict[bytes, bytes], depth: int = 0) -> bytes:
    """The definition, on sets of leaves."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaf_hash(*next(iter(leaves.items())))
    halves: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for index, commitment in leaves.items():
        halves[int.from_bytes(index, "big") >> (255 - depth) & 1][index] = commitment
    return node_hash(naive_root(halves[0], depth + 1), naive_root(halves[1], depth + 1))


@settings(deadline=None)
@given(st.dictionaries(INDEXES, HASHES, max_size=20), INDEXES, HASHES)
def test_trees_built_at_once_or_one_by_one_are_as_defined_and_prove_what_they_hold(
    leaves: dict[bytes, bytes], absent: bytes, commitment: bytes
) -> None:
    tree = SparseTree(leaves)
    grown = SparseTree()
    for index, held in leaves.items():
        grown = grown.put(index, held)
    assert tree.root == grown.root == naive_root(leaves)
    for index, held in leaves.items():
        proof = grown.prove(index)
        assert proof == tree.prove(index)
        proof.verify(tree.root, index, held)
        for wrong in (None, bytes(32), bytes(31)):
            if wrong != held:
                with pytest.raises(ProofInvalid):
                    proof.verify(tree.root, index, wrong)
    if absent not in leaves:
        proof = tree.prove(absent)
        proof.verify(tree.root, absent, None)
        with pytest.raises(ProofInvalid):
            proof.verify(tree.root, absent, commitment)
        changed = tree.put(absent, commitment)
        changed.prove(absent).verify(changed.root, absent, commitment)
        assert tree.root == naive_root(leaves), "the old epoch's tree stays"


@settings(deadline=None)
@given(st.dictionaries(INDEXES, HASHES, min_size=2, max_size=12), st.data())
def test_a_proof_of_absence_for_what_is_there_is_refused(leaves: dict[bytes, bytes], data: st.DataObject) -> None:
    tree = SparseTree(leaves)
    index = data.draw(st.sampled_from(sorted(leaves)))
    other = data.draw(st.sampled_from(sorted(leaves)))
    honest = tree.prove(index)
    for cut in range(len(honest.siblings) + 1):
        for stands in (None, (other, leaves[other])):
            with pytest.raises(ProofInvalid):
                MapProof(False, honest.siblings[:cut], stands).verify(tree.root, index, None)


def test_siblings_and_leaves_of_other_lengths_are_refused() -> None:
    tree = SparseTree({bytes([number]) * 32: bytes(32) for number in range(9)})
    proof = tree.prove(bytes(32))
    for length in (0, 31, 33, 64):
        with pytest.raises(DecodeError):
            replace(proof, siblings=(*proof.siblings[:-1], bytes(length)))
        with pytest.raises(DecodeError):
            MapProof(False, (), (bytes(length), bytes(32)))
        with pytest.raises(ProofInvalid):
            proof.verify(bytes(length), bytes(32), bytes(32))
        with pytest.raises(ProofInvalid):
            proof.verify(tree.root, bytes(length), bytes(32))
        with pytest.raises(ValueError, match="32 bytes"):
            tree.put(bytes(length), bytes(32))
        with pytest.raises(ValueError, match="32 bytes"):
            SparseTree({bytes(32): bytes(length)})
    with pytest.raises(DecodeError):
        MapProof(False, (bytes(32),) * 257)


def test_a_node_is_not_a_leaf() -> None:
    """A node's children are 64 bytes, and so are a leaf's index and commitment."""
    tree = SparseTree({bytes(32): bytes(32), b"\xff" * 32: bytes(32)})
    left, right = leaf_hash(bytes(32), bytes(32)), leaf_hash(b"\xff" * 32, bytes(32))
    with pytest.raises(ProofInvalid):
        MapProof(True, ()).verify(tree.root, left, right)
    assert tree.root == node_hash(left, right) != hashlib.sha256(left + right).digest()


@settings(deadline=None)
@given(st.dictionaries(INDEXES, HASHES, max_size=8), INDEXES)
def test_proofs_are_read_back(leaves: dict[bytes, bytes], index: bytes) -> None:
    proof = SparseTree(leaves).prove(index)
    assert MapProof.read(wire.Reader(proof.encode(), "proof")) == proof
