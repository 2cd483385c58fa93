"""The public ratchet tree: its nodes, how it changes, and its hashes (RFC 9420 sections 4.1, 7.1, 7.7 and 7.8)."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from crypto.errors import DecodeError
from crypto.mls import tree_math
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, opaque, optional, u32, vector
from crypto.mls.leaf_node import LeafNode


@dataclass(frozen=True)
class ParentNode:
    """An inner node with a key pair; ``unmerged_leaves`` are the sorted leaf numbers that lack its private key."""

    encryption_key: bytes
    parent_hash: bytes
    unmerged_leaves: tuple[int, ...] = ()

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(
            (
                opaque(self.encryption_key),
                opaque(self.parent_hash),
                vector(u32(leaf) for leaf in self.unmerged_leaves),
            )
        )

    @classmethod
    def decode(cls, reader: Reader) -> "ParentNode":
        node = cls(reader.opaque(), reader.opaque(), reader.vector(Reader.u32))
        if any(a >= b for a, b in zip(node.unmerged_leaves, node.unmerged_leaves[1:], strict=False)):
            raise DecodeError("unmerged leaves are not in increasing order")
        return node

    def unmerged_under(self, node: int) -> Sequence[int]:
        """The unmerged leaves in the subtree under ``node``."""
        reach = (1 << tree_math.level(node)) - 1
        first = bisect_left(self.unmerged_leaves, (node - reach + 1) // 2)
        last = bisect_left(self.unmerged_leaves, (node + reach) // 2 + 1)
        return self.unmerged_leaves[first:last]


Node = LeafNode | ParentNode


class RatchetTree:
    """A tree of immutable nodes; a copy costs two shallow list copies, and shares every node and cached hash.

    Leaves are named by leaf number, nodes by their index in the array representation.
    """

    __slots__ = ("_first_free", "_hashes", "_nodes", "crypto")

    def __init__(self, crypto: SuiteCrypto, nodes: Sequence[Node | None]) -> None:
        """From the nodes of a full tree (2^(d+1) - 1 entries, leaves in even places)."""
        self.crypto = crypto
        self._nodes: list[Node | None] = list(nodes)
        self._hashes: list[bytes | None] = [None] * len(self._nodes)
        self._first_free = 0

    def copy(self) -> "RatchetTree":
        clone = RatchetTree.__new__(RatchetTree)
        clone.crypto = self.crypto
        clone._nodes = self._nodes.copy()
        clone._hashes = self._hashes.copy()
        clone._first_free = self._first_free
        return clone

    # Reading

    @property
    def width(self) -> int:
        """Number of leaves, blank ones included; a power of two."""
        return (len(self._nodes) + 1) // 2

    @property
    def root(self) -> int:
        return tree_math.root(self.width)

    def nodes(self) -> list[Node | None]:
        """All nodes by index."""
        return self._nodes.copy()

    def node(self, index: int) -> Node | None:
        return self._nodes[index]

    def leaf(self, number: int) -> LeafNode | None:
        """The leaf node, or None for a blank or a number outside of the tree."""
        if not 0 <= number < self.width:
            return None
        node = self._nodes[2 * number]
        return node if isinstance(node, LeafNode) else None

    def parent(self, index: int) -> ParentNode | None:
        """The parent node at a node index, or None for a blank."""
        node = self._nodes[index]
        return node if isinstance(node, ParentNode) else None

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """All members as (leaf number, leaf node)."""
        for number, node in enumerate(self._nodes[::2]):
            if isinstance(node, LeafNode):
                yield number, node

    def parents(self) -> Iterator[tuple[int, ParentNode]]:
        """All non-blank parent nodes as (node index, node)."""
        for position, node in enumerate(self._nodes[1::2]):
            if isinstance(node, ParentNode):
                yield 2 * position + 1, node

    def encryption_keys(self) -> set[bytes]:
        """The public keys of all nodes."""
        return {node.encryption_key for node in self._nodes if node is not None}

    def resolution(self, index: int) -> list[int]:
        """The non-blank nodes that together cover all members under a node (section 4.1.1)."""
        node = self._nodes[index]
        if isinstance(node, ParentNode):
            return [index, *(2 * leaf for leaf in node.unmerged_leaves)]
        if node is not None:
            return [index]
        if index % 2 == 0:
            return []
        return self.resolution(tree_math.left(index)) + self.resolution(tree_math.right(index))

    def is_blank_below(self, index: int) -> bool:
        """Whether the resolution of a node is empty."""
        reach = (1 << tree_math.level(index)) - 1
        return all(node is None for node in self._nodes[index - reach : index + reach + 1])

    def filtered_direct_path(self, leaf: int) -> list[tuple[int, int]]:
        """(node, its child on the copath) from the bottom up, without those whose copath is empty (section 4.1.2)."""
        path = []
        below = 2 * leaf
        for node in tree_math.direct_path(leaf, self.width):
            copath = tree_math.sibling(below)
            if not self.is_blank_below(copath):
                path.append((node, copath))
            below = node
        return path

    # Changing

    def add(self, leaf: LeafNode) -> int:
        """Place a new member in the leftmost free leaf (section 12.1.1) and return its leaf number."""
        number = self.reserve_leaf()
        for index in tree_math.direct_path(number, self.width):
            node = self._nodes[index]
            if isinstance(node, ParentNode):
                unmerged = list(node.unmerged_leaves)
                insort(unmerged, number)
                self._nodes[index] = ParentNode(node.encryption_key, node.parent_hash, tuple(unmerged))
        self._set(2 * number, leaf)
        self._first_free = number + 1
        return number

    def reserve_leaf(self) -> int:
        """The leftmost free leaf number; the tree grows to the right if there was none."""
        for number in range(self._first_free, self.width):
            if self._nodes[2 * number] is None:
                return number
        number = self.width
        growth = len(self._nodes) + 1
        self._nodes.extend([None] * growth)
        self._hashes.extend([None] * growth)
        return number

    def update(self, number: int, leaf: LeafNode) -> None:
        """Replace a member's leaf and blank its direct path (section 12.1.2)."""
        self._blank_path(number)
        self._set(2 * number, leaf)

    def remove(self, number: int) -> None:
        """Blank a member's leaf and direct path, and shorten the tree where it can be (section 12.1.3)."""
        self._blank_path(number)
        self._set(2 * number, None)
        self._first_free = min(self._first_free, number)
        last = len(self._nodes) - 1
        while last > 0 and self._nodes[last] is None:
            last -= 2
        while self.width > 1 and last < len(self._nodes) // 2:
            half = len(self._nodes) // 2
            del self._nodes[half:]
            del self._hashes[half:]

    def merge_path(self, number: int, leaf: LeafNode, parents: dict[int, ParentNode]) -> None:
        """Set a member's leaf and the nodes of its filtered direct path; the rest of its path becomes blank."""
        self._blank_path(number)
        for index, node in parents.items():
            self._nodes[index] = node
        self._set(2 * number, leaf)

    def _blank_path(self, number: int) -> None:
        for index in tree_math.direct_path(number, self.width):
            self._nodes[index] = None
            self._hashes[index] = None

    def _set(self, index: int, node: Node | None) -> None:
        self._nodes[index] = node
        self._forget_hashes(index)

    def _forget_hashes(self, index: int) -> None:
        top = self.root
        self._hashes[index] = None
        while index != top:
            index = tree_math.parent(index)
            self._hashes[index] = None

    # Hashes

    def hash(self, index: int | None = None) -> bytes:
        """The tree hash of a node, by default of the root (section 7.8); only what changed is computed again."""
        if index is None:
            index = self.root
        known = self._hashes[index]
        if known is None:
            known = self._hashes[index] = self._compute_hash(index, ())
        return known

    def hash_without(self, index: int, leaves: Sequence[int]) -> bytes:
        """The tree hash of a node as if ``leaves`` (sorted, all below it) were blank and nowhere unmerged."""
        return self._compute_hash(index, leaves) if leaves else self.hash(index)

    def _compute_hash(self, index: int, without: Sequence[int]) -> bytes:
        node = self._nodes[index]
        if index % 2 == 0:
            encoded = node.encoded if node is not None and not without else None
            return self.crypto.hash(b"\x01" + u32(index // 2) + optional(encoded))
        left, right = tree_math.left(index), tree_math.right(index)
        if without:
            if isinstance(node, ParentNode):
                blank = set(without)
                remaining = tuple(leaf for leaf in node.unmerged_leaves if leaf not in blank)
                node = ParentNode(node.encryption_key, node.parent_hash, remaining)
            middle = bisect_left(without, (index + 1) // 2)
            hashes = self.hash_without(left, without[:middle]), self.hash_without(right, without[middle:])
        else:
            hashes = self.hash(left), self.hash(right)
        encoded = None if node is None else node.encoded
        return self.crypto.hash(b"\x02" + optional(encoded) + opaque(hashes[0]) + opaque(hashes[1]))

    # Encoding (section 12.4.3.3)

    def encode(self) -> bytes:
        """``optional<Node> ratchet_tree<V>``, up to the last node that is not blank."""
        last = len(self._nodes)
        while last > 0 and self._nodes[last - 1] is None:
            last -= 1
        return vector(optional(None if node is None else encode_node(node)) for node in self._nodes[:last])

    @classmethod
    def decode(cls, crypto: SuiteCrypto, data: bytes, max_width: int | None = None) -> "RatchetTree":
        """A tree from all of ``data``; DecodeError if a node is in the wrong place or the last one is blank.

        Blank nodes take a byte each and are hashed all the same: with ``max_width``, a tree of more leaves is refused
        before that.
        """
        max_nodes = len(data) if max_width is None else 2 * max_width - 1
        nodes: list[Node | None] = []

        def read(item: Reader) -> None:
            if len(nodes) >= max_nodes:
                raise DecodeError("the ratchet tree has more leaves than allowed")
            nodes.append(item.optional(decode_node))

        reader = Reader(data)
        reader.vector(read)
        reader.finish()
        if not nodes or nodes[-1] is None:
            raise DecodeError("a ratchet tree must end with a node that is not blank")
        nodes.extend([None] * ((1 << len(nodes).bit_length()) - 1 - len(nodes)))
        return cls.of_nodes(crypto, nodes)

    @classmethod
    def of_nodes(cls, crypto: SuiteCrypto, nodes: Sequence[Node | None]) -> "RatchetTree":
        """From the nodes of a full tree; DecodeError if one is in the wrong place."""
        for index, node in enumerate(nodes):
            if node is not None and isinstance(node, LeafNode) != (index % 2 == 0):
                raise DecodeError("leaf and parent nodes are in the wrong places")
        return cls(crypto, nodes)


def encode_node(node: Node) -> bytes:
    """``Node`` (section 7.8)."""
    return (b"\x01" if isinstance(node, LeafNode) else b"\x02") + node.encoded


def decode_node(reader: Reader) -> Node:
    """``Node`` (section 7.8)."""
    match reader.u8():
        case 1:
            return LeafNode.decode(reader)
        case 2:
            return ParentNode.decode(reader)
        case _:
            raise DecodeError("invalid node type")


def exclude(nodes: Sequence[int], new_leaves: Collection[int]) -> list[int]:
    """A resolution without the leaves added in the same commit (section 7.5)."""
    return [node for node in nodes if node % 2 or node // 2 not in new_leaves]


def single_leaf_tree(crypto: SuiteCrypto, leaf: LeafNode) -> RatchetTree:
    """The tree of a group that has its creator only."""
    return RatchetTree(crypto, [leaf])
