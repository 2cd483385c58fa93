"""The counter entity: dispatches messages to the machine in features/counters.

An entity's id is the kind of its target, a colon and the target's id (32 hexadecimal digits). A message is a list that
starts with the name of the operation; `_OPERATIONS` lists them all. Accounts in messages are 16 bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgpack

from actors.runtime import Effect, Refused, Reply, Value
from features.counters.machine import TargetCounters
from features.counters.model import REACTION_KINDS, Counted

KIND_NAME = "counters"


@dataclass(frozen=True, slots=True)
class Store:
    """Store an account's reaction, made at a time in seconds since 1970."""

    account: bytes
    kind: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Find:
    """Read an account's reaction."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Reload:
    """Read everything."""


class CounterEntity:
    """The counters of one target. They are loaded with the entity, and change when what changed them is committed."""

    __slots__ = ("_packed", "_packed_at", "counters")

    def __init__(self, counters: TargetCounters) -> None:
        self.counters = counters
        self._packed: dict[str | None, bytes] = {}
        """By an account's own reaction: what those who have it read, since they are many."""
        self._packed_at = counters.changes

    def packed(self, account: bytes | None) -> bytes | None:
        """Returns the counts and the account's reaction as `counted_from_wire` reads them; None if that is to be read
        from Postgres first."""
        counters = self.counters
        if account is None:
            own = None
        elif counters.complete:  # as most are: without a call, since each page asks fifty
            own = counters.known.get(account)
        else:
            try:
                own = counters.own(account)
            except KeyError:
                return None
        if self._packed_at != counters.changes:
            self._packed.clear()
            self._packed_at = counters.changes
        packed = self._packed.get(own)
        if packed is None:
            packed = self._packed[own] = msgpack.packb([counters.counts, own])
        return packed

    @classmethod
    def restore(cls, counts: Mapping[str, int], max_known: int) -> "CounterEntity":
        """Returns the entity of a snapshot."""
        counters = TargetCounters(max_known)
        counters.load(counts, None)
        return cls(counters)

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation."""
        return _OPERATIONS[message[0]](self, *message[1:])

    def snapshot(self) -> Value:
        """Returns the counts. Whose reactions they are is read again where the shard goes."""
        return self.counters.counts


def react(_entity: CounterEntity, account: bytes, kind: str | None, at: float) -> list[Effect]:
    """Replies once the reaction is durable."""
    if kind is not None and kind not in REACTION_KINDS:
        raise Refused("bad_kind", f"{kind!r} is no kind of reactions")
    return [Store(account, kind, at)]


def read(entity: CounterEntity, account: bytes | None) -> list[Effect]:
    """Replies with the counts and the account's reaction, or with None while that is being read: call again."""
    packed = entity.packed(account)
    return [Reply(packed)] if packed is not None or account is None else [Find(account), Reply(None)]


def reload(_entity: CounterEntity) -> list[Effect]:
    return [Reload()]


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation for operation in (react, read, reload)
}


@lru_cache(maxsize=16_384)
def counted_from_wire(packed: bytes) -> Counted:
    """Decodes the reply to `read`. Few targets have many reactions: most replies are alike."""
    return Counted(*msgpack.unpackb(packed))
