"""The client's side: verifying proofs (the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2, same trees as RFC 6962)."""

import hmac
from collections.abc import Sequence

from crypto.transparency.errors import ProofInvalid
from crypto.transparency.hashing import EMPTY_ROOT, HASH_LENGTH, leaf_hash, node_hash


def require_hashes(*nodes: bytes) -> None:
    """Raise ``ProofInvalid`` unless every node has 32 bytes.

    A node of another length shifts the boundary between the two children that ``node_hash`` joins: 64 and 0 bytes
    stand for the same input as 32 and 32, and one root would have many readings.
    """
    if any(len(node) != HASH_LENGTH for node in nodes):
        raise ProofInvalid("a node of the proof does not have 32 bytes")


def verify_inclusion(entry: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that ``entry`` is number ``index`` of the ``size`` entries under ``root``.

    Raises ``ProofInvalid``.
    """
    require_hashes(root, *proof)
    if not 0 <= index < size:
        raise ProofInvalid("the index is outside of the tree")
    position, last = index, size - 1
    hashed = leaf_hash(entry)
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the inclusion proof is too long")
        if position % 2 or position == last:
            hashed = node_hash(sibling, hashed)
            while position % 2 == 0 and position:
                position >>= 1
                last >>= 1
        else:
            hashed = node_hash(hashed, sibling)
        position >>= 1
        last >>= 1
    if last or not hmac.compare_digest(hashed, root):
        raise ProofInvalid("the inclusion proof does not lead to the root")


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree under ``root`` only appended to the one under ``old_root``.

    Raises ``ProofInvalid``. Everything is consistent with the empty tree, whose proof is empty.
    """
    require_hashes(old_root, root, *proof)
    if not 0 <= old_size <= size:
        raise ProofInvalid("the log has shrunk")
    if old_size == 0 or old_size == size:
        expected = EMPTY_ROOT if old_size == 0 else root
        if proof or not hmac.compare_digest(old_root, expected):
            raise ProofInvalid("the consistency proof does not fit the sizes")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofInvalid("the consistency proof is empty")
    position, last = old_size - 1, size - 1
    while position % 2:
        position >>= 1
        last >>= 1
    old_hash = new_hash = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofInvalid("the consistency proof is too long")
        if position % 2 or position == last:
            old_hash = node_hash(sibling, old_hash)
            new_hash = node_hash(sibling, new_hash)
            while position % 2 == 0 and position:
                position >>= 1
                last >>= 1
        else:
            new_hash = node_hash(new_hash, sibling)
        position >>= 1
        last >>= 1
    old_fits = hmac.compare_digest(old_hash, old_root)
    new_fits = hmac.compare_digest(new_hash, root)
    if last or not (old_fits and new_fits):
        raise ProofInvalid("the consistency proof does not lead from one root to the other")
