"""MKSKIPPED (Double Ratchet specification §3.1, §4.2): keys of messages that were overtaken by later ones.

A chain is named by its header key, or by its ratchet public key where headers are not encrypted.
"""

from collections.abc import Iterable, Iterator


class SkippedKeys:
    """Message keys (32 bytes) by chain and number, bounded per chain and in all; the oldest go first."""

    __slots__ = ("_chain_limit", "_chains", "_count", "_total_limit")

    def __init__(self, chain_limit: int, total_limit: int) -> None:
        self._chain_limit = chain_limit
        self._total_limit = total_limit
        self._chains: dict[bytes, dict[int, bytes]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def chains(self) -> Iterator[bytes]:
        """The chains with keys left, the most recent first: a late message most likely belongs there."""
        return reversed(self._chains)

    def find(self, chain: bytes, number: int) -> bytes | None:
        """The key of message ``number``, which stays until ``remove``."""
        keys = self._chains.get(chain)
        return None if keys is None else keys.get(number)

    def add(self, chain: bytes, keys: Iterable[tuple[int, bytes]]) -> None:
        """Keep ``keys`` (number, key), in ascending order, evicting the oldest beyond the bounds."""
        kept = self._chains.setdefault(chain, {})
        for number, key in keys:
            self._count += number not in kept
            kept[number] = key
        while len(kept) > self._chain_limit:
            del kept[next(iter(kept))]
            self._count -= 1
        while self._count > self._total_limit:
            oldest = next(iter(self._chains))
            self.remove(oldest, next(iter(self._chains[oldest])))
        if not kept:
            self._chains.pop(chain, None)

    def remove(self, chain: bytes, number: int) -> None:
        """Forget a key that was used. It must be there."""
        keys = self._chains[chain]
        del keys[number]
        self._count -= 1
        if not keys:
            del self._chains[chain]

    def items(self) -> Iterator[tuple[bytes, dict[int, bytes]]]:
        """Chains with their keys, the oldest first, for the serialised state."""
        return iter(self._chains.items())
