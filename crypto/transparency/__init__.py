"""Key transparency: an append-only, signed Merkle log of identity keys (RFC 6962), and the clients' checks."""

from crypto.transparency.auditor import LogAuditor
from crypto.transparency.entry import IdentityEntry
from crypto.transparency.errors import ProofInvalid
from crypto.transparency.gossip import ConsistencyNeeded, HeadGossip, SplitView
from crypto.transparency.hashing import leaf_hash, node_hash
from crypto.transparency.merkle_paths import consistency_ranges, inclusion_ranges, range_hash, subtrees
from crypto.transparency.merkle_tree import MerkleTree
from crypto.transparency.proofs import verify_consistency, verify_inclusion
from crypto.transparency.tree_head import SignedTreeHead, TreeHead

__all__ = [
    "ConsistencyNeeded",
    "HeadGossip",
    "IdentityEntry",
    "LogAuditor",
    "MerkleTree",
    "ProofInvalid",
    "SignedTreeHead",
    "SplitView",
    "TreeHead",
    "consistency_ranges",
    "inclusion_ranges",
    "leaf_hash",
    "node_hash",
    "range_hash",
    "subtrees",
    "verify_consistency",
    "verify_inclusion",
]
