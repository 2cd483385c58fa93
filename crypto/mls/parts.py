"""Stored state in parts: named pieces that are written one by one, so that a small change costs a small write."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crypto.errors import DecodeError
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import decode_exactly
from crypto.mls.ratchet_tree import Node, RatchetTree, decode_node, encode_node

Parts = Mapping[str, bytes]
"""State by the names of its parts, which are ASCII."""

_NODE = "node/"


@dataclass(frozen=True, slots=True, repr=False)
class Changes:
    """Parts to write, and names of parts to delete, all in one transaction. Deleted parts can hold used keys."""

    put: Parts
    delete: frozenset[str]

    def __repr__(self) -> str:
        return f"Changes({len(self.put)} parts of {self.size} bytes, {len(self.delete)} deleted)"

    @property
    def size(self) -> int:
        """Bytes to write: names and contents."""
        return sum(len(name) + len(data) for name, data in self.put.items()) + sum(map(len, self.delete))

    def under(self, prefix: str) -> "Changes":
        """The same with ``prefix`` before every name."""
        return Changes(
            {f"{prefix}{name}": data for name, data in self.put.items()},
            frozenset(f"{prefix}{name}" for name in self.delete),
        )

    @classmethod
    def merged(cls, changes: Iterable["Changes"]) -> "Changes":
        """Several changes as one; their names differ."""
        put: dict[str, bytes] = {}
        delete: set[str] = set()
        for change in changes:
            put.update(change.put)
            delete |= change.delete
        return cls(put, frozenset(delete - put.keys()))


def part(parts: Parts, name: str) -> bytes:
    """The part with this name; DecodeError if it is missing."""
    data = parts.get(name)
    if data is None:
        raise DecodeError(f"the stored state has no part {name}")
    return data


def numbered(parts: Parts, prefix: str) -> dict[tuple[int, ...], bytes]:
    """The parts named ``prefix`` and one or more numbers, by these; DecodeError for another name with the prefix."""
    found = {}
    for name, data in parts.items():
        if name.startswith(prefix):
            try:
                found[tuple(map(int, name[len(prefix) :].split("/")))] = data
            except ValueError:
                raise DecodeError("a part of the stored state has an invalid name") from None
    return found


def tree_changes(before: RatchetTree | None, after: RatchetTree) -> Changes:
    """The nodes that differ, each a part of its own; all of them if there was no tree before."""
    old: list[Node | None] = [] if before is None else before.nodes()
    new = after.nodes()
    put, delete = {}, set()
    for index, node in enumerate(new):
        known = old[index] if index < len(old) else None
        if node is not None and node is not known:
            put[f"{_NODE}{index}"] = encode_node(node)
        elif node is None and known is not None:
            delete.add(f"{_NODE}{index}")
    delete |= {f"{_NODE}{index}" for index in range(len(new), len(old)) if old[index] is not None}
    return Changes(put, frozenset(delete))


def tree_from(crypto: SuiteCrypto, width: int, tree_hash: bytes, parts: Parts) -> RatchetTree:
    """The tree of ``width`` leaves whose nodes are among ``parts``; DecodeError if it has not this hash."""
    if width == 0 or width & (width - 1):
        raise DecodeError("invalid width of a stored tree")
    found = numbered(parts, _NODE)
    if len(found) > 2 * width - 1:
        raise DecodeError("a stored tree has too many nodes")
    nodes: list[Node | None] = [None] * (2 * width - 1)
    for name, data in found.items():
        if len(name) != 1 or not 0 <= name[0] < len(nodes):
            raise DecodeError("a stored node lies outside of its tree")
        nodes[name[0]] = decode_exactly(data, decode_node)
    tree = RatchetTree.of_nodes(crypto, nodes)
    if tree.hash() != tree_hash:
        raise DecodeError("the stored tree is not the group's")
    return tree
