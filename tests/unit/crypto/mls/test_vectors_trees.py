"""Vectors for ratchet trees and TreeKEM."""

from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import decode_exactly
from crypto.mls.framing import Sender
from crypto.mls.group_context import GroupContext
from crypto.mls.parent_hash import verify_parent_hashes
from crypto.mls.proposal_list import ProposalList, Sourced, apply_proposals
from crypto.mls.proposals import decode_proposal
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.tree_validation import check_unmerged_leaves
from crypto.mls.treekem import (
    LeafTemplate,
    PrivateKeys,
    make_path,
    merge_path,
    node_key_pair,
    open_path,
    seal_path,
)
from crypto.mls.update_path import UpdatePath
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.vectors import Case, crypto_of, each_case, unhex


@each_case("tree-operations")
def test_tree_operations(vector: Case) -> None:
    tree = RatchetTree.decode(crypto_of(vector), unhex(vector["tree_before"]))
    assert tree.hash().hex() == vector["tree_hash_before"]
    proposal = decode_exactly(unhex(vector["proposal"]), decode_proposal)
    item = Sourced(proposal, Sender.member(vector["proposal_sender"]))
    after = apply_proposals(ProposalList((item,)), tree, ()).tree
    assert after.encode().hex() == vector["tree_after"]
    assert after.hash().hex() == vector["tree_hash_after"]
    assert tree.encode().hex() == vector["tree_before"]


@each_case("tree-validation")
def test_tree_validation(vector: Case) -> None:
    tree = RatchetTree.decode(crypto_of(vector), unhex(vector["tree"]))
    assert [tree.resolution(i) for i in range(2 * tree.width - 1)] == vector["resolutions"]
    assert [tree.hash(i).hex() for i in range(2 * tree.width - 1)] == vector["tree_hashes"]
    verify_parent_hashes(tree)
    check_unmerged_leaves(tree)
    for number, leaf in tree.leaves():
        leaf.verify_signature(tree.crypto, unhex(vector["group_id"]), number)


@each_case("treekem")
def test_treekem(vector: Case) -> None:
    crypto = crypto_of(vector)
    tree = RatchetTree.decode(crypto, unhex(vector["ratchet_tree"]))
    private = {member["index"]: _private_keys(crypto, tree, member) for member in vector["leaves_private"]}
    signers = {m["index"]: crypto.signature.load(unhex(m["signature_priv"])) for m in vector["leaves_private"]}
    for v in vector["update_paths"]:
        sender, update = v["sender"], decode_exactly(unhex(v["update_path"]), UpdatePath.decode)
        merged = tree.copy()
        path = merge_path(merged, sender, update)
        assert merged.hash().hex() == v["tree_hash_after"]
        context = _context(vector, merged)
        for number, keys in private.items():
            if number != sender:
                commit_secret, _ = open_path(merged, path, update, number, keys, context, ())
                assert commit_secret.hex() == v["commit_secret"]

        own, leaf = tree.copy(), tree.leaf(sender)
        assert leaf is not None
        made = make_path(
            own,
            sender,
            LeafTemplate.of(leaf),
            signers[sender],
            context.group_id,
            SeededRandomness(unhex(v["commit_secret"])),
        )
        context = _context(vector, own)
        update = seal_path(own, made, context, (), SeededRandomness(b"seal"))
        merged = tree.copy()
        path = merge_path(merged, sender, update)
        assert merged.hash() == own.hash()
        verify_parent_hashes(merged)
        for number, keys in private.items():
            if number != sender:
                commit_secret, _ = open_path(merged, path, update, number, keys, context, ())
                assert commit_secret == made.commit_secret


def _private_keys(crypto: SuiteCrypto, tree: RatchetTree, member: Case) -> PrivateKeys:
    keys = {2 * member["index"]: unhex(member["encryption_priv"])}
    leaf = tree.leaf(member["index"])
    assert leaf is not None
    assert crypto.kem.public_key(keys[2 * member["index"]]) == leaf.encryption_key
    for secret in member["path_secrets"]:
        keys[secret["node"]], public_key = node_key_pair(crypto, unhex(secret["path_secret"]))
        node = tree.parent(secret["node"])
        assert node is not None
        assert public_key == node.encryption_key
    return keys


def _context(vector: Case, tree: RatchetTree) -> GroupContext:
    return GroupContext(
        tree.crypto.suite,
        unhex(vector["group_id"]),
        vector["epoch"],
        tree.hash(),
        unhex(vector["confirmed_transcript_hash"]),
        (),
    )
