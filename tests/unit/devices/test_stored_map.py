"""The stored map is crypto.directory.SparseTree: the same roots and the same proofs, from stored subtrees."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.directory import SparseTree
from features.devices.directory import stored_map
from features.devices.directory.stored_map import Subtree


def _spread(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(2, "big")).digest()


def _close(number: int) -> bytes:
    """Indexes that agree in their first 248 bits."""
    return bytes(31) + bytes([number % 256])


def _commitment(number: int) -> bytes:
    return hashlib.sha256(b"commitment %d" % number).digest()


class _Stored:
    """Reads only what a path needs, as the store does."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Subtree] = {}

    def read(self, index: bytes) -> dict[bytes, Subtree]:
        found: dict[bytes, Subtree] = {}
        depth = 0
        while True:
            found |= {place: self.rows[place] for place in stored_map.path(index, depth) if place in self.rows}
            if not stored_map.goes_on(found, index, depth):
                return found
            depth += stored_map.DEPTHS_AT_ONCE

    def put(self, index: bytes, commitment: bytes) -> None:
        self.rows |= stored_map.put(self.read(index), index, commitment)


@pytest.mark.parametrize("index_of", [_spread, _close])
@given(puts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=30))
def test_roots_and_proofs_are_those_of_the_tree(index_of: Callable[[int], bytes], puts: list[tuple[int, int]]) -> None:
    tree, stored = SparseTree(), _Stored()
    for number, value in puts:
        tree = tree.put(index_of(number), _commitment(value))
        stored.put(index_of(number), _commitment(value))
    assert stored_map.root(stored.rows) == tree.root
    for number in range(45):
        index = index_of(number)
        assert stored_map.prove(stored.read(index), index) == tree.prove(index)


@given(numbers=st.lists(st.integers(0, 500), min_size=1, max_size=40, unique=True))
def test_many_changes_of_one_epoch_are_made_at_once(numbers: list[int]) -> None:
    stored, tree = _Stored(), SparseTree()
    for number in numbers[::2]:
        stored.put(_spread(number), _commitment(0))
        tree = tree.put(_spread(number), _commitment(0))
    found: dict[bytes, Subtree] = {}
    for number in numbers:
        found |= stored.read(_spread(number))
    changed: dict[bytes, Subtree] = {}
    for number in numbers:
        changed |= stored_map.put(found, _spread(number), _commitment(1))
        tree = tree.put(_spread(number), _commitment(1))
    stored.rows |= changed
    assert stored_map.root(stored.rows) == tree.root


def test_prefixes_name_a_depth_and_its_bits() -> None:
    index = bytes([0b10110000]) + bytes(31)
    assert stored_map.prefix(index, 0) == b"\x00\x00"
    assert stored_map.prefix(index, 3) == b"\x00\x03" + bytes([0b10100000])
    assert stored_map.sibling(index, 3) == b"\x00\x03" + bytes([0b10000000])
    assert stored_map.prefix(index, 8) == b"\x00\x08" + bytes([0b10110000])
    assert stored_map.sibling(index, 9) == b"\x00\x09" + bytes([0b10110000, 0b10000000])
    assert stored_map.prefix(index, 256) == b"\x01\x00" + index
