"""The index finds what a comparison with every hash finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.media.hash_index import MAX_DISTANCE, HashIndex, Match
from features.media.pdq import HASH_BYTES

HASHES = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)


def distance(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def flipped(value: bytes, bits: set[int]) -> bytes:
    number = int.from_bytes(value)
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(HASH_BYTES)


@given(
    st.lists(HASHES, min_size=1, max_size=20),
    st.data(),
    st.sets(st.integers(0, 255), max_size=40),
    st.integers(0, MAX_DISTANCE),
)
def test_the_nearest_hash_is_found(hashes: list[bytes], data: st.DataObject, bits: set[int], wanted: int) -> None:
    index = HashIndex(hashes)
    value = flipped(data.draw(st.sampled_from(hashes)), bits)
    nearest = min(distance(value, each) for each in hashes)
    found = index.nearest(value, wanted)
    if nearest > wanted:
        assert found is None
    else:
        assert found is not None
        assert found.entry in hashes
        assert found.distance == nearest == distance(value, found.entry)


@given(HASHES, st.sets(st.integers(0, 255), min_size=MAX_DISTANCE, max_size=MAX_DISTANCE))
def test_a_hash_at_the_largest_distance_is_found_wherever_its_bits_differ(value: bytes, bits: set[int]) -> None:
    assert HashIndex([value]).nearest(flipped(value, bits), MAX_DISTANCE) == Match(value, MAX_DISTANCE)


def test_equal_hashes_count_once_and_none_is_found_in_an_empty_list() -> None:
    assert len(HashIndex([bytes(HASH_BYTES)] * 3)) == 1
    assert HashIndex([]).nearest(bytes(HASH_BYTES), MAX_DISTANCE) is None


def test_a_distance_at_which_some_would_be_missed_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        HashIndex([]).nearest(bytes(HASH_BYTES), MAX_DISTANCE + 1)
