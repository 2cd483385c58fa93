"""Parent hashes (RFC 9420 section 7.9): the chain that ties the keys of a path to its committer's signature."""

from crypto.mls import tree_math
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import opaque
from crypto.mls.errors import InvalidTree
from crypto.mls.leaf_node import LeafNode
from crypto.mls.ratchet_tree import ParentNode, RatchetTree


def parent_hash(crypto: SuiteCrypto, encryption_key: bytes, above: bytes, sibling_hash: bytes) -> bytes:
    """The hash of ParentHashInput: the node's key, its own parent hash, the original tree hash of the sibling."""
    return crypto.hash(opaque(encryption_key) + opaque(above) + opaque(sibling_hash))


def chain_parent_hashes(
    tree: RatchetTree, path: list[tuple[int, int]], keys: list[bytes]
) -> tuple[dict[int, ParentNode], bytes]:
    """The new nodes of a filtered direct path with public ``keys`` (both from the bottom up), and the leaf's hash.

    Tree hashes on the copath are taken from ``tree``; the nodes on the path itself do not matter.
    """
    above = b""
    nodes: dict[int, ParentNode] = {}
    for (index, copath), key in zip(reversed(path), reversed(keys), strict=True):
        nodes[index] = ParentNode(key, above)
        above = parent_hash(tree.crypto, key, above, tree.hash(copath))
    return nodes, above


def verify_parent_hashes(tree: RatchetTree) -> None:
    """Raise InvalidTree unless every parent node is vouched for by exactly one chain (section 7.9.2)."""
    for index, node in tree.parents():
        if len(node.parent_hash) not in (0, tree.crypto.hash_size):
            raise InvalidTree("a parent hash has the wrong length")
        children = tree_math.left(index), tree_math.right(index)
        chains = sum(_is_linked(tree, node, child, sibling) for child, sibling in (children, children[::-1]))
        if chains != 1:
            raise InvalidTree("a parent node is not parent-hash valid")


def _is_linked(tree: RatchetTree, node: ParentNode, child: int, sibling: int) -> bool:
    """Whether some node under ``child`` was set in the same update path as its ancestor ``node``."""
    unmerged = set(node.unmerged_under(child))
    resolution = tree.resolution(child)
    rest = [index for index in resolution if index % 2 or index // 2 not in unmerged]
    if len(rest) != 1 or len(resolution) - 1 != len(unmerged):
        return False
    descendant = tree.node(rest[0])
    claimed = descendant.parent_hash if isinstance(descendant, LeafNode | ParentNode) else None
    if not claimed:  # a leaf from a KeyPackage or an Update, or the root of an older tree: no link upwards
        return False
    original = tree.hash_without(sibling, node.unmerged_under(sibling))
    return claimed == parent_hash(tree.crypto, node.encryption_key, node.parent_hash, original)
