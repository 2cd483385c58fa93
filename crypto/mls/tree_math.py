"""The array representation of the ratchet tree (RFC 9420 appendix C).

A tree of ``n`` leaves (a power of two) has nodes 0 .. 2n-2. Leaf ``i`` is node ``2i``; a node's level is the number
of its trailing one bits. Node indices stay the same when the tree grows or shrinks at its right edge.
"""


def level(node: int) -> int:
    """0 for leaves, one more than its children for a parent."""
    return (~node & (node + 1)).bit_length() - 1


def node_width(leaves: int) -> int:
    """Number of nodes of a tree with ``leaves`` (>= 1) leaves."""
    return 2 * leaves - 1


def root(leaves: int) -> int:
    """The root of a tree with ``leaves`` leaves (any number >= 1, not only powers of two)."""
    return (1 << (node_width(leaves).bit_length() - 1)) - 1


def left(node: int) -> int:
    """The left child of a parent node."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """The right child of a parent node."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """The parent, whether or not it is inside of the tree."""
    depth = level(node)
    return (node | (1 << depth)) & ~(1 << (depth + 1))


def sibling(node: int) -> int:
    """The other child of the parent."""
    return node ^ (2 << level(node))


def direct_path(leaf: int, leaves: int) -> list[int]:
    """Node indices above leaf number ``leaf``, from its parent to the root."""
    if not 0 <= leaf < leaves:
        raise ValueError("no such leaf in the tree")
    node, top = 2 * leaf, root(leaves)
    path = []
    while node != top:
        node = parent(node)
        path.append(node)
    return path


def covers(node: int, leaf: int) -> bool:
    """Whether leaf number ``leaf`` lies in the subtree under ``node`` (or is the node itself)."""
    depth = level(node)
    return node >> (depth + 1) == (2 * leaf) >> (depth + 1)


def common_ancestor(one: int, other: int) -> int:
    """The lowest node above both leaves (given as leaf numbers, different from each other)."""
    depth = (one ^ other).bit_length()
    return ((2 * one) >> (depth + 1) << (depth + 1)) | ((1 << depth) - 1)
