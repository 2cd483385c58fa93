"""TreeKEM: making and following update paths (RFC 9420 sections 7.4 to 7.6)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crypto.mls import tree_math
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.credentials import Credential
from crypto.mls.errors import InvalidInput, InvalidTree
from crypto.mls.extensions import Extensions
from crypto.mls.group_context import GroupContext
from crypto.mls.leaf_node import LeafNode, LeafNodeSource
from crypto.mls.parent_hash import chain_parent_hashes
from crypto.mls.ratchet_tree import RatchetTree, exclude
from crypto.mls.signatures import SigningKey
from crypto.mls.update_path import UpdatePath, UpdatePathNode
from crypto.randomness import Randomness

PrivateKeys = dict[int, bytes]
"""A member's private keys by node index: its own leaf, and those of its ancestors that it knows."""


@dataclass(frozen=True, slots=True)
class LeafTemplate:
    """What a committer's new leaf says, besides its fresh encryption key."""

    credential: Credential
    capabilities: Capabilities
    extensions: Extensions

    @classmethod
    def of(cls, leaf: LeafNode) -> "LeafTemplate":
        """The same again."""
        return cls(leaf.credential, leaf.capabilities, leaf.extensions)


@dataclass(frozen=True, slots=True, repr=False)
class NewPath:
    """A path just made: public and private keys by node, and path secrets (Nh bytes) from the bottom up."""

    leaf_node: LeafNode
    nodes: tuple[tuple[int, int], ...]
    public_keys: tuple[bytes, ...]
    private_keys: PrivateKeys
    path_secrets: tuple[bytes, ...]
    commit_secret: bytes

    def secret_for(self, node: int) -> bytes | None:
        """The path secret of a node on the path."""
        return next((s for (index, _), s in zip(self.nodes, self.path_secrets, strict=True) if index == node), None)


def node_key_pair(crypto: SuiteCrypto, path_secret: bytes) -> tuple[bytes, bytes]:
    """(private, public) key of a node from its path secret."""
    return crypto.kem.derive_key_pair(crypto.derive_secret(path_secret, "node"))


def next_path_secret(crypto: SuiteCrypto, path_secret: bytes) -> bytes:
    """The path secret one node higher; after the last node, the commit secret."""
    return crypto.derive_secret(path_secret, "path")


def make_path(
    tree: RatchetTree,
    number: int,
    template: LeafTemplate,
    signer: SigningKey,
    group_id: bytes,
    randomness: Randomness,
) -> NewPath:
    """Give the member at leaf ``number`` fresh keys up to the root, and put them into ``tree``."""
    crypto = tree.crypto
    path = tree.filtered_direct_path(number)
    secret = randomness.random_bytes(crypto.hash_size)
    path_secrets, public_keys, private_keys = [], [], {}
    for index, _ in path:
        private_keys[index], public_key = node_key_pair(crypto, secret)
        path_secrets.append(secret)
        public_keys.append(public_key)
        secret = next_path_secret(crypto, secret)
    parents, leaf_parent_hash = chain_parent_hashes(tree, path, public_keys)
    private_keys[2 * number], encryption_key = crypto.kem.generate_key_pair(randomness)
    leaf = LeafNode(
        encryption_key,
        signer.public_key,
        template.credential,
        template.capabilities,
        LeafNodeSource.COMMIT,
        None,
        leaf_parent_hash,
        template.extensions,
        b"",
    ).signed(crypto, signer, group_id, number)
    tree.merge_path(number, leaf, parents)
    return NewPath(leaf, tuple(path), tuple(public_keys), private_keys, tuple(path_secrets), secret)


def seal_path(
    tree: RatchetTree,
    path: NewPath,
    context: GroupContext,
    new_leaves: Collection[int],
    randomness: Randomness,
) -> UpdatePath:
    """Encrypt each path secret to its copath, under the provisional ``context``."""
    crypto = tree.crypto
    hpke_context = crypto.encryption_context("UpdatePathNode", context.encoded)
    nodes = []
    for (_, copath), key, secret in zip(path.nodes, path.public_keys, path.path_secrets, strict=True):
        recipients = exclude(tree.resolution(copath), new_leaves)
        sealed = tuple(
            crypto.seal(_key_of(tree, recipient), hpke_context, secret, randomness) for recipient in recipients
        )
        nodes.append(UpdatePathNode(key, sealed))
    return UpdatePath(path.leaf_node, tuple(nodes))


def merge_path(tree: RatchetTree, number: int, update: UpdatePath) -> list[tuple[int, int]]:
    """Put a received path into ``tree`` and return its filtered direct path; verifies the leaf's parent hash."""
    path = tree.filtered_direct_path(number)
    if len(path) != len(update.nodes):
        raise InvalidTree("the update path has the wrong length")
    keys = [node.encryption_key for node in update.nodes]
    new_keys = {update.leaf_node.encryption_key, *keys}
    if len(new_keys) != len(keys) + 1 or new_keys & tree.encryption_keys():
        raise InvalidTree("the update path uses a key that is not fresh")
    check_node_keys(tree.crypto, keys)
    parents, leaf_parent_hash = chain_parent_hashes(tree, path, keys)
    if update.leaf_node.parent_hash != leaf_parent_hash:
        raise InvalidTree("the parent hash of the update path is wrong")
    tree.merge_path(number, update.leaf_node, parents)
    return path


def check_node_keys(crypto: SuiteCrypto, keys: Iterable[bytes]) -> None:
    """Raise InvalidTree if nothing can be encrypted to one of ``keys``: it would stop every commit that has to."""
    try:
        for key in keys:
            crypto.kem.check_public_key(key)
    except InvalidInput:
        raise InvalidTree("the encryption key of a node is invalid") from None


def check_recipients(
    tree: RatchetTree, path: Sequence[tuple[int, int]], update: UpdatePath, new_leaves: Collection[int]
) -> None:
    """Raise InvalidTree unless a path merged into ``tree`` has one ciphertext for every node of its copath."""
    for (_, copath), node in zip(path, update.nodes, strict=True):
        if len(node.encrypted_path_secret) != len(exclude(tree.resolution(copath), new_leaves)):
            raise InvalidTree("the update path has the wrong number of ciphertexts")


def open_path(
    tree: RatchetTree,
    path: Sequence[tuple[int, int]],
    update: UpdatePath,
    own_leaf: int,
    private_keys: Mapping[int, bytes],
    context: GroupContext,
    new_leaves: Collection[int],
) -> tuple[bytes, PrivateKeys]:
    """(commit secret, the private keys learnt) from a path merged into ``tree`` and with its recipients checked."""
    crypto = tree.crypto
    start = next((i for i, (_, copath) in enumerate(path) if tree_math.covers(copath, own_leaf)), None)
    if start is None:
        raise InvalidTree("the update path does not reach this member")
    recipients = exclude(tree.resolution(path[start][1]), new_leaves)
    place = next((i for i, recipient in enumerate(recipients) if recipient in private_keys), None)
    if place is None:
        raise InvalidTree("the update path is not encrypted to this member")
    sealed, private_key = update.nodes[start].encrypted_path_secret[place], private_keys[recipients[place]]
    hpke_context = crypto.encryption_context("UpdatePathNode", context.encoded)
    secret = crypto.open(private_key, hpke_context, sealed)
    keys = [(index, node.encryption_key) for (index, _), node in zip(path, update.nodes, strict=True)]
    return follow_path(crypto, keys[start:], secret)


def follow_path(
    crypto: SuiteCrypto, nodes: Sequence[tuple[int, bytes]], path_secret: bytes
) -> tuple[bytes, PrivateKeys]:
    """(commit secret, private keys) from the path secret of the first of ``nodes`` (index, public key)."""
    private_keys = {}
    for index, public_key in nodes:
        private_keys[index], derived = node_key_pair(crypto, path_secret)
        if derived != public_key:
            raise InvalidTree("a path secret does not lead to the public key in the tree")
        path_secret = next_path_secret(crypto, path_secret)
    return path_secret, private_keys


def surviving_keys(private_keys: Mapping[int, bytes], before: RatchetTree, after: RatchetTree) -> PrivateKeys:
    """The private keys whose nodes are the same in both trees; the others are outdated and must go."""
    kept = {}
    for index, private_key in private_keys.items():
        if index >= 2 * after.width - 1:
            continue
        old, new = before.node(index), after.node(index)
        if old is not None and new is not None and old.encryption_key == new.encryption_key:
            kept[index] = private_key
    return kept


def _key_of(tree: RatchetTree, index: int) -> bytes:
    node = tree.node(index)
    if node is None:
        raise InvalidTree("a resolution contains a blank node")
    return node.encryption_key
