"""Which shard an entity belongs to, and the map from shards to hosts as routers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

SHARDS = 1024
"""Shards a kind. Fixed for the life of a database: changing it would send entities elsewhere."""


def shard_of(entity_id: str) -> int:
    """The hash mailbox of an entity: CRC-32 of its UTF-8 id, modulo SHARDS."""
    return crc32(entity_id.encode()) % SHARDS


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
