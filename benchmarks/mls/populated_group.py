"""A group in which every member has committed already, made without making its members.

Only the public side exists: a ratchet tree without blank nodes between its members, and a GroupInfo that anybody can
join by external commit. Bringing 1,500 live members there takes 750 commits at least; here it takes about a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from crypto.mls import BasicCredential, CipherSuite, Extension, KeyPackageBundle, Lifetime, SignatureKeyPair
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.codec import opaque
from crypto.mls.group_context import GroupContext
from crypto.mls.leaf_node import LeafNode, LeafNodeSource
from crypto.mls.messages import encode_message
from crypto.mls.parent_hash import chain_parent_hashes
from crypto.mls.ratchet_tree import RatchetTree, single_leaf_tree
from crypto.mls.welcome import GroupInfo
from crypto.randomness import Randomness

GROUP_ID = b"populated"
EXTERNAL_PUB = 4


@dataclass(frozen=True, slots=True)
class JoinableGroup:
    """group_info: MLSMessage with external_pub and without the tree; tree: encoded ratchet_tree."""

    group_info: bytes
    tree: bytes


def populated_group(suite: CipherSuite, members: int, lifetime: Lifetime, rng: Randomness) -> JoinableGroup:
    """A group of `members` leaves; every second one has just committed, so that no parent is blank."""
    crypto = suite_crypto(suite)
    signers = [SignatureKeyPair.generate(suite, rng) for _ in range(members)]
    leaves = [
        KeyPackageBundle.generate(
            suite, BasicCredential(b"synthetic %d" % number), signer, lifetime, rng
        ).key_package.leaf_node
        for number, signer in enumerate(signers)
    ]
    tree = single_leaf_tree(crypto, leaves[0])
    for leaf in leaves[1:]:
        tree.add(leaf)
    for number in range(0, members, 2):
        _commit(tree, number, signers[number], rng)
    context = GroupContext(suite, GROUP_ID, members, tree.hash(), bytes(crypto.hash_size), ())
    _, external_pub = crypto.kem.generate_key_pair(rng)
    info = GroupInfo.sign(
        crypto,
        context,
        (Extension(EXTERNAL_PUB, opaque(external_pub)),),
        confirmation_tag=bytes(crypto.hash_size),  # an external joiner has no key to check it with
        signer=0,
        key=signers[0].key,
    )
    return JoinableGroup(encode_message(info), tree.encode())


def _commit(tree: RatchetTree, number: int, signer: SignatureKeyPair, rng: Randomness) -> None:
    """The public half of an update commit by member `number`."""
    crypto = tree.crypto
    path = tree.filtered_direct_path(number)
    keys = [crypto.kem.generate_key_pair(rng)[1] for _ in path]
    parents, parent_hash = chain_parent_hashes(tree, path, keys)
    old = tree.leaf(number)
    assert old is not None
    leaf = LeafNode(
        crypto.kem.generate_key_pair(rng)[1],
        old.signature_key,
        old.credential,
        old.capabilities,
        LeafNodeSource.COMMIT,
        None,
        parent_hash,
        old.extensions,
        b"",
    )
    tree.merge_path(number, leaf.signed(crypto, signer.key, GROUP_ID, number), parents)
