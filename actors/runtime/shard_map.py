"""Which shard an entity belongs to, and the map from shards to hosts as routers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

SHARDS = 1024
"""Shards a kind. Fixed for the life of a database: changing it would send entities elsewhere."""


@lru_cache(maxsize=65_536)
def shard_of(entity_id: str) -> int:
    """The hash mailbox of an entity: CRC-32 of its UTF-8 id, modulo SHARDS."""
    return crc32(entity_id.encode()) % SHARDS


class MapPosition(NamedTuple):
    """Up to where the map is known. Versions of one generation are one history; a new leader begins a generation."""

    generation: str = ""
    """Random, made with each leader's term; "": nothing was read yet."""
    version: int = 0


UNREAD = MapPosition()
"""Where who has not read the map yet stands."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a host listens."""

    name: str
    """Of its Ray actor."""
    node: str
    """Ray's id of its node; the Unix socket works there only."""
    address: str
    socket: str
    incarnation: str = ""
    """The host this is the endpoint of, for messages that must not reach a later one in the same process."""


@dataclass(frozen=True, slots=True)
class MapView:
    """One version of the map, complete."""

    version: int = 0
    hosts: Mapping[str, Endpoint] = field(default_factory=dict)
    owners: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Kind to host per shard; "" where a shard has no owner yet."""
    generation: str = ""

    @property
    def position(self) -> MapPosition:
        """What to ask for later maps with."""
        return MapPosition(self.generation, self.version)

    def supersedes(self, other: MapView) -> bool:
        """Whether a router that has ``other`` takes this one: it is later in the same history, or of another, since a
        database that was restored or failed over may have gone back."""
        if self.generation != other.generation:
            return self.version > 0
        return self.version > other.version
