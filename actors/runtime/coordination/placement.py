"""Where shards go: pure arithmetic on counts, deterministic so that two coordinators would decide alike."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping


def spread(shards: Iterable[int], counts: Mapping[str, int]) -> dict[int, str]:
    """Gives each shard to the host that has the fewest by then; ties go to the lower host id."""
    heap = [(count, host) for host, count in counts.items()]
    if not heap:
        return {}
    heapq.heapify(heap)
    placed = {}
    for shard in shards:
        count, host = heap[0]
        placed[shard] = host
        heapq.heapreplace(heap, (count + 1, host))
    return placed


def moves(
    owners: Mapping[int, str], staying: Collection[str], limit: int, settled: Collection[int] = ()
) -> dict[int, str]:
    """At most ``limit`` moves (shard to new host) towards an even spread over the ``staying`` hosts.

    Owners outside ``staying`` are emptied first. Shards in ``settled`` are left where they are (they
    are moving already). No move is made that would not lessen the difference between two hosts.
    """
    if not staying:
        return {}
    parked: dict[str, list[int]] = {host: [] for host in sorted(staying)}
    leaving: list[int] = []
    for shard, host in sorted(owners.items()):
        if host in parked:
            parked[host].append(shard)
        elif shard not in settled:
            leaving.append(shard)
    planned = spread(leaving[:limit], {host: len(shards) for host, shards in parked.items()})
    counts = {host: len(shards) for host, shards in parked.items()}
    for host in planned.values():
        counts[host] += 1
    while len(planned) < limit:
        fullest = max(counts, key=lambda host: (counts[host], host))
        emptiest = min(counts, key=lambda host: (counts[host], host))
        if counts[fullest] - counts[emptiest] < 2:
            break
        movable = parked[fullest]
        while movable and movable[-1] in settled:
            movable.pop()
        if not movable:
            break
        planned[movable.pop()] = emptiest
        counts[fullest] -= 1
        counts[emptiest] += 1
    return planned
