"""The entity that the runtime's figures are measured with."""

from __future__ import annotations

from typing import Any

from actors.runtime import EntityKind, Reply, Value


class Counter:
    """Adds and answers; the least an entity can do."""

    __slots__ = ("total",)

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def receive(self, message: Value, now: float) -> list[Any]:
        self.total += message
        return [Reply(self.total)]

    def snapshot(self) -> Value:
        return self.total


COUNTER = EntityKind(
    "counter",
    create=lambda _id, _context: Counter(),
    restore=lambda _id, _version, total, _context: Counter(total),
    passivate_after=None,
)
