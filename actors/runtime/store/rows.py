"""What the runtime's tables hold, as values, and the errors that their writes raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.storage_errors import DATABASE_ERRORS as DATABASE_ERRORS


class StaleEpoch(Exception):
    """The shard has another owner or a later epoch now; the transaction was rolled back."""


class AlreadyAnswered(Exception):
    """A call of this turn ran before and its answer is stored; the transaction was rolled back."""


class LostLeadership(Exception):
    """Another coordinator holds the lease; nothing was written."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Which owner a durable write comes from."""

    kind: str
    shard: int
    host: str
    epoch: int


Claim = tuple[str, int, int]
"""(kind, shard, epoch): which ownership of a shard a message is about."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to one call: who called (8 random bytes per router), its number there, the packed answer."""

    caller: bytes
    call: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class HostRow:
    """A living host incarnation."""

    host: str
    name: str
    node: str
    address: str
    """``ip:port`` of its stream listener."""
    socket: str
    """Path of its Unix socket on ``node``."""
    draining: bool
    load: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One entry of the map."""

    kind: str
    shard: int
    host: str
    epoch: int
    moving_to: str = ""
