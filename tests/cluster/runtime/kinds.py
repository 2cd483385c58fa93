"""Entity kinds for the runtime's tests: one volatile, one that writes with every turn, one that persists snapshots."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actors.runtime import (
    After,
    Effect,
    EffectHandler,
    Entity,
    EntityKind,
    Persist,
    Refused,
    Reply,
    SetTimer,
    Turn,
    Value,
)
from cluster.postgres import UnitOfWork

RELEASE = 1
"""Which edition of these kinds this is: the test of code updates makes another one."""


class Tally:
    """Counts in memory only. Messages: a number to add, or a command."""

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def receive(self, message: Value, now: float) -> list[Effect]:
        match message:
            case int():
                self.total += message
                return [Reply(self.total)]
            case "read":
                return [Reply(self.total)]
            case "release":
                return [Reply([RELEASE, self.total])]
            case "where":
                return [Reply([os.getpid(), self.total])]
            case "refuse":
                raise Refused("no", "as you asked")
            case "fail":
                self.total = -1_000_000
                raise ZeroDivisionError("as you asked")
            case ["later", float(seconds), int(amount)]:
                return [After(seconds, amount), Reply(self.total)]
            case "large":
                return [Reply(b"x" * (5 << 20))]
        return []

    def snapshot(self) -> Value:
        return self.total


TALLY = EntityKind(
    "tally", create=lambda _id, _context: Tally(), restore=lambda _id, _version, total, _context: Tally(total)
)


@dataclass(frozen=True)
class Line:
    """An operation that is to be in the book exactly once."""

    operation: str
    seconds: float = 0.0
    """How long the transaction is parked open."""


class Book:
    """Keeps a list of operations durably: each is a row, written in the turn that acknowledges it.

    Messages: "read", an operation, or ["slowly", operation].
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def receive(self, message: Value, now: float) -> list[Effect]:
        if message == "read":
            return [Reply(list(self.lines))]
        line = Line(message) if isinstance(message, str) else Line(message[1], 0.5)
        self.lines.append(line.operation)
        return [line, Reply(len(self.lines))]

    def snapshot(self) -> Value:
        return self.lines


class BookEffects(EffectHandler):
    """Writes lines in the turn's transaction."""

    async def load(self, entity_id: str) -> Entity:
        async with self.context.database.unit_of_work(read_only=True) as unit:
            rows = await unit.fetch("SELECT operation FROM book_lines WHERE book = $1 ORDER BY number", entity_id)
        return Book([row["operation"] for row in rows])

    async def write(self, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        lines = [(turn.entity_id, line.operation, turn.fence.epoch) for turn in turns for line in turn.effects]
        await transaction.executemany("INSERT INTO book_lines (book, operation, epoch) VALUES ($1, $2, $3)", lines)
        if seconds := max(line.seconds for turn in turns for line in turn.effects):
            await asyncio.sleep(seconds)


BOOK_TABLE = """
CREATE TABLE IF NOT EXISTS book_lines (number bigserial PRIMARY KEY, book text, operation text, epoch bigint)
"""

BOOK = EntityKind(
    "book",
    create=lambda _id, _context: Book([]),
    restore=lambda _id, _version, lines, _context: Book(lines),
    handler=BookEffects,
)


class Jar:
    """Persists its whole state with every change. ["at", time, coin] puts a coin in then."""

    def __init__(self, coins: list[Any]) -> None:
        self.coins = coins

    def receive(self, message: Value, now: float) -> list[Effect]:
        if message == "read":
            return [Reply(list(self.coins))]
        if isinstance(message, list):
            _, due, coin = message
            return [SetTimer(f"{coin}", due, coin), Reply(len(self.coins))]
        self.coins.append(message)
        return [Persist(), Reply(len(self.coins))]

    def snapshot(self) -> Value:
        return self.coins


JAR = EntityKind(
    "jar",
    create=lambda _id, _context: Jar([]),
    restore=lambda _id, _version, coins, _context: Jar(coins),
    durable=True,
    passivate_after=1.0,
)

KINDS = {f"tests.cluster.runtime.kinds:{name}": None for name in ("TALLY", "BOOK", "JAR")}
