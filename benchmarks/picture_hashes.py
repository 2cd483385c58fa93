"""The CPU time of finding a picture's hash among a million, beside a comparison with all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

FIGURES = ("content.hash_lookup_us",)
_HASHES, _LOOKUPS, _SCANS = sized(1_000_000, 1_000), sized(2_000, 20), sized(20, 2)


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figure. Raises RuntimeError if a hash at the largest distance is not found."""
    import numpy as np

    from features.media.hash_index import MAX_DISTANCE, HashIndex
    from features.media.pdq import HASH_BYTES

    chance = random.Random(1)
    hashes = [chance.randbytes(HASH_BYTES) for _ in range(_HASHES)]
    begun = time.process_time()
    index = HashIndex(hashes)
    building = time.process_time() - begun
    everything = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4)
    lookups, scans = list[float](), list[float]()
    for number in range(_LOOKUPS):
        listed = int.from_bytes(chance.choice(hashes))
        for bit in chance.sample(range(256), MAX_DISTANCE):
            listed ^= 1 << bit
        # Every other one is on the list, most pictures are not.
        value = listed.to_bytes(HASH_BYTES) if number % 2 else chance.randbytes(HASH_BYTES)
        begun = time.process_time()
        found = index.nearest(value, MAX_DISTANCE)
        lookups.append((time.process_time() - begun) * 1e6)
        if (found is not None) != bool(number % 2):
            raise RuntimeError(f"look-up {number} found {found}")
    for _ in range(_SCANS):
        value = chance.randbytes(HASH_BYTES)
        begun = time.process_time()
        np.bitwise_count(everything ^ np.frombuffer(value, np.uint64)).sum(axis=1).argmin()
        scans.append((time.process_time() - begun) * 1e6)
    yield Figure(
        "content.hash_lookup_us",
        quantile(lookups, 0.5),
        "us",
        "a comparison with each",
        quantile(scans, 0.5),
        samples=_LOOKUPS,
        extra={**percentiles(lookups), "hashes": _HASHES, "building_s": building},
    )
