"""The entities of the model: a book remembers lines, and has stored each before it says so. It can do so later, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from actors.runtime import CancelTimer, EffectHandler, EntityKind, Reply, SetTimer, Turn, Value
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.turns import TurnRunner
from cluster.postgres import UnitOfWork
from tests.support.kind_context import kind_context
from tests.unit.runtime.database import Database
from tests.unit.runtime.network import Network

KIND = "book"
TIMER = "next line"
Witness: TypeAlias = Callable[[str, float], None]
"""Told of every message that an entity receives: its operation's name, and when."""


class Book:
    """Understands ["write", line] (the reply is how many lines there are), ["read", name] (all lines), ["plan", line,
    seconds] (the line is written in so many seconds, instead of what was planned before) and ["unplan", name]."""

    def __init__(self, lines: Sequence[str], witness: Witness) -> None:
        self.lines = list(lines)
        self._witness = witness

    def receive(self, message: Value, now: float) -> list[Any]:
        what, name, *rest = message
        if what != "planned":
            self._witness(name, now)
        match what:
            case "read":
                return [Reply(list(self.lines))]
            case "plan":
                return [SetTimer(TIMER, now + rest[0], ["planned", name])]
            case "unplan":
                return [CancelTimer(TIMER)]
        self.lines.append(name)
        return [("line", name), Reply(len(self.lines))]

    def snapshot(self) -> Value:
        return self.lines


class Books(EffectHandler):
    """Loads and stores books; each statement takes as long as the network likes."""

    def __init__(self, database: Database, network: Network, process: str, witness: Witness) -> None:
        super().__init__(kind_context())
        self._database = database
        self._statement = partial(network.statement, waits_for=process)
        self._witness = witness

    async def load(self, entity_id: str) -> Book:
        lines = await self._statement(f"load {entity_id}", act=lambda: list(self._database.lines.get(entity_id, ())))
        return Book(lines, self._witness)

    async def write(self, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        raise AssertionError("the model's database stores the lines itself")


def book_runner(
    database: Database, network: Network, process: str, store: Any, committer: Committer, witness: Witness
) -> TurnRunner:
    """What a host process needs to have books."""
    kind = EntityKind(
        KIND,
        create=lambda _id, _context: Book([], witness),
        restore=lambda _id, _version, lines, _context: Book(lines, witness),
        passivate_after=5.0,
    )
    return TurnRunner(kind, Books(database, network, process, witness), store, committer)
