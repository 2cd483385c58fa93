"""Key transparency: an append-only, signed Merkle log of identity keys (RFC 6962), and the clients' checks."""

from crypto.transparency.auditor import LogAuditor
from crypto.transparency.entry import IdentityEntry
from crypto.transparency.errors import ProofInvalid
from crypto.transparency.gossip import ConsistencyNeeded, HeadGossip, SplitView
from crypto.transparency.hashing import leaf_hash, node_hash
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
    "leaf_hash",
    "node_hash",
    "verify_consistency",
    "verify_inclusion",
]
