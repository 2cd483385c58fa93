"""The counter entity: dispatches messages to the machine in features/counters.

An entity's id is the kind of its target, a colon and the target's id (32 hexadecimal digits). A message is a list that
starts with the name of the operation; `_OPERATIONS` lists them all. Accounts in messages are 16 bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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

    __slots__ = ("counters",)

    def __init__(self, counters: TargetCounters) -> None:
        self.counters = counters

    @classmethod
    def restore(cls, counts: Mapping[str, int], max_known: int) -> "CounterEntity":
        """Returns the entity of a snapshot."""
        counters = TargetCounters(max_known)
        counters.load(counts, None)
        return cls(counters)

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation."""
        return _OPERATIONS[message[0]](self.counters, *message[1:])

    def snapshot(self) -> Value:
        """Returns the counts. Whose reactions they are is read again where the shard goes."""
        return self.counters.counts


def react(_counters: TargetCounters, account: bytes, kind: str | None, at: float) -> list[Effect]:
    """Replies once the reaction is durable."""
    if kind is not None and kind not in REACTION_KINDS:
        raise Refused("bad_kind", f"{kind!r} is no kind of reactions")
    return [Store(account, kind, at)]


def read(counters: TargetCounters, account: bytes | None) -> list[Effect]:
    """Replies with the counts and the account's reaction, or with None while that is being read: call again."""
    if account is None:
        return [Reply([counters.counts, None])]
    if not counters.knows(account):
        return [Find(account), Reply(None)]
    return [Reply([counters.counts, counters.own(account)])]


def reload(_counters: TargetCounters) -> list[Effect]:
    return [Reload()]


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation for operation in (react, read, reload)
}


def counted_from_wire(value: Value) -> Counted:
    """Decodes the reply to `read`."""
    return Counted(value[0], value[1])
