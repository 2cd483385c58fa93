"""What the runtime's tables hold, as values, and the errors that their writes raise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.runtime.shard_map import MapPosition
from cluster.storage_errors import DATABASE_ERRORS as DATABASE_ERRORS


class StaleEpoch(Exception):
    """The shard has another owner or a later epoch now; the transaction was rolled back."""


class AlreadyAnswered(Exception):
    """A call of this turn ran before and its answer is stored; the transaction was rolled back."""


class AlreadyFired(AlreadyAnswered):
    """A timer of this turn fired before, or is another now; the transaction was rolled back."""


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
class AnswerRow:
    """A stored answer, and the shard whose turn gave it."""

    kind: str
    shard: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An entity as a turn left it."""

    version: int
    """Of the kind's form."""
    body: bytes
    """Packed."""


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A durable timer of one entity."""

    kind: str
    shard: int
    entity_id: str
    name: str
    due: float
    """Seconds since 1970."""
    message: bytes
    """Packed."""

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What a timer that is set anew has in common with the one it replaces."""
        return self.kind, self.shard, self.entity_id, self.name


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
    code_version: str = ""
    """Of the code that it runs; "" if it does not say."""

    @property
    def worker(self) -> str:
        """Ray's id of its process, as its heartbeats say; "" before the first, or if it does not say."""
        return str(self.load.get("worker", ""))


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One entry of the map."""

    kind: str
    shard: int
    host: str
    epoch: int
    moving_to: str = ""


@dataclass(frozen=True, slots=True)
class Leadership:
    """One term of one leader. Its generation fences the leader's writes, its position is the map it builds on."""

    term: int
    position: MapPosition


@dataclass(frozen=True, slots=True)
class Election:
    """What a candidate learns when it tries to lead."""

    leadership: Leadership | None
    """None: another leader's lease runs."""
    position: MapPosition
    """Of the stored map."""
    lease_left: float = 0.0
    """Seconds for which another leader's lease runs if it is not renewed."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a leader learns when it renews its lease."""

    version: int
    """Of the stored map."""
    hosts: Sequence[HostRow]
    """The living ones."""
    next_expiry: float
    """Seconds until the first of their leases ends, if it is not renewed; infinite without hosts."""
    target_version: str = ""
    """Of the code that all hosts should run; "" if nothing was deployed."""


@dataclass(frozen=True, slots=True)
class MapRead:
    """What changed in the map since a known position."""

    position: MapPosition
    rows: Sequence[ShardRow]
    continues: bool = True
    """False: the map went back before the known position, or has another history; ``rows`` are all there are."""


@dataclass(frozen=True, slots=True)
class MapWrite:
    """The outcome of a write of the map."""

    position: MapPosition
    written: Sequence[ShardRow]
    """The others' rows are locked by transactions under way, and are to be written later."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a host learns when it renews its lease."""

    position: MapPosition
    continues: bool
    """False: the database went back. The map does (see MapRead), or it lacks writes of this host."""
