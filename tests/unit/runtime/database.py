"""The model's database: the tables of actors/runtime/store, with the same conditions on every write."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import msgpack

from actors.runtime.shard_map import UNREAD, MapPosition
from actors.runtime.store.rows import (
    AlreadyAnswered,
    AlreadyFired,
    Answer,
    HostRow,
    Leadership,
    LostLeadership,
    MapRead,
    MapWrite,
    Renewal,
    ShardRow,
    StaleEpoch,
    TimerRow,
)
from actors.runtime.store.turn_writes import TurnWrite
from tests.unit.runtime.network import Network


class Database:
    """What is stored. Checks that epochs only grow and have one owner each."""

    def __init__(self) -> None:
        self.version = 0
        self.generations: list[tuple[str, int]] = []
        """Each with the version from which on it is the map's."""
        self._leaders = itertools.count(1)
        self.rows: dict[int, ShardRow] = {}
        self._versions: dict[int, int] = {}
        self.hosts: dict[str, HostRow] = {}
        self.target_version = ""
        self.expired: set[str] = set()
        """Hosts whose lease ran out; the next leader that looks declares them dead."""
        self.lines: dict[str, list[str]] = {}
        """What was written per entity, in order."""
        self.answers: dict[int, list[Answer]] = {}
        self.timers: dict[tuple[str, int, str, str], TimerRow] = {}
        self.planned: dict[str, str] = {}
        """Lines that timers are to write, each with what became of its timer: "set", "fired", "cancelled" or
        "replaced"."""
        self.violations: list[str] = []
        """What should not have been written (whom it is written for may catch an exception)."""
        self.rejected: set[str] = set()
        """Lines that the database does not take."""
        self.collisions: list[tuple[bytes, int]] = []
        """Calls whose second run only the primary key of stored answers stopped."""

    @property
    def position(self) -> MapPosition:
        return MapPosition(self.generations[-1][0] if self.generations else "", self.version)

    def lead(self) -> Leadership:
        """A new leader begins its term. Generations are never given twice, whatever the database forgets."""
        term = next(self._leaders)
        self.generations.append((f"generation {term}", self.version))
        return Leadership(term, self.position)

    def continues(self, known: MapPosition) -> bool:
        """Whether the map is a later state of what is known."""
        names = [name for name, _ in self.generations]
        if not known.generation:
            return True
        if known.generation not in names:
            return False
        later = names.index(known.generation) + 1
        return known.version <= (self.generations[later][1] if later < len(names) else self.version)

    def remember_map(self) -> Callable[[], None]:
        """What puts the map back to how it is now, as a restored backup would. What entities wrote stays."""
        version, rows, versions = self.version, dict(self.rows), dict(self._versions)
        generations, hosts = list(self.generations), dict(self.hosts)

        def go_back() -> None:
            self.version, self.rows, self._versions = version, dict(rows), dict(versions)
            self.expired |= hosts.keys() - self.hosts.keys()
            self.generations, self.hosts = list(generations), dict(hosts)

        return go_back

    def shard_map(self, known: MapPosition) -> MapRead:
        continues = self.continues(known)
        since = known.version if continues else 0
        rows = [row for shard, row in self.rows.items() if self._versions[shard] > since]
        return MapRead(self.position, rows, continues)

    def write_map(self, leadership: Leadership, rows: Sequence[ShardRow]) -> MapWrite:
        if leadership.position != self.position:
            raise LostLeadership(f"term {leadership.term} is over")
        self.version += 1
        for row in rows:
            old = self.rows.get(row.shard)
            assert old is None or row.epoch >= old.epoch, "an epoch went backwards"
            assert old is None or row.epoch > old.epoch or row.host == old.host, "an epoch has two owners"
            self.rows[row.shard] = row
            self._versions[row.shard] = self.version
        return MapWrite(self.position, rows)

    def commit(self, writes: Sequence[TurnWrite]) -> dict[TurnWrite, Exception]:
        """One transaction, like TurnWrites.commit. It fails as a whole for a line that is rejected."""
        if any(line in self.rejected for write in writes for line in lines_of(write)):
            raise ValueError("a line is rejected")
        refused: dict[TurnWrite, Exception] = {}
        for write in writes:
            try:
                self._commit(write)
            except (StaleEpoch, AlreadyAnswered) as error:
                refused[write] = error
        return refused

    def _commit(self, turn: TurnWrite) -> None:
        fence = turn.fence
        row = self.rows[fence.shard]
        if (row.host, row.epoch) != (fence.host, fence.epoch):
            raise StaleEpoch(f"{row} is not {fence}")
        stored = self.answers.setdefault(fence.shard, [])
        known = {(answer.caller, answer.call) for answer in stored}
        again = [(answer.caller, answer.call) for answer in turn.answers if (answer.caller, answer.call) in known]
        if again:
            self.collisions += again
            raise AlreadyAnswered(str(fence))
        if any(self.timers.get(timer.key) != timer for timer in turn.fired):
            raise AlreadyFired(str(fence))
        stored += turn.answers
        lines = lines_of(turn)
        for timer in turn.fired:
            self._end_timer(timer, "fired")
        of_timers = {line for line in lines if line in self.planned}
        if of_timers != {line_of(timer) for timer in turn.fired}:
            self.violations.append(f"{of_timers} is stored by a turn that fired {turn.fired}")
        for name, new in turn.timers.items():
            old = self.timers.get((fence.kind, fence.shard, turn.entity_id, name))
            if old is not None:
                self._end_timer(old, "cancelled" if new is None else "replaced")
            if new is not None:
                if line_of(new) in self.planned:
                    self.violations.append(f"{new} is set twice")
                self.timers[new.key] = new
                self.planned[line_of(new)] = "set"
        self.lines.setdefault(turn.entity_id, []).extend(lines)

    def _end_timer(self, timer: TimerRow, how: str) -> None:
        del self.timers[timer.key]
        self.planned[line_of(timer)] = how


def lines_of(write: TurnWrite) -> list[str]:
    """What a turn writes."""
    return [] if write.turn is None else [line for _, line in write.turn.effects]


def line_of(timer: TimerRow) -> str:
    """What a timer is to write."""
    _, line = msgpack.unpackb(timer.message)
    return str(line)


class HostStore:
    """ShardStore as one host process sees it: every statement takes as long as the network likes."""

    def __init__(self, database: Database, network: Network, process: str) -> None:
        self._database = database
        self._network = network
        self._process = process

    async def shard_map(self, known: MapPosition) -> MapRead:
        return await self._network.statement("map", self._process, lambda: self._database.shard_map(known))

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        lines = [line for write in writes for line in lines_of(write)]
        return await self._network.statement(f"commit {lines}", self._process, lambda: self._database.commit(writes))

    async def timers(self, shards: Iterable[tuple[str, int]], until: float) -> list[TimerRow]:
        owned, stored = set(shards), self._database.timers
        return await self._network.statement(
            f"timers of {owned}",
            self._process,
            lambda: [row for row in stored.values() if (row.kind, row.shard) in owned and row.due <= until],
        )

    async def answers(self, shards: Iterable[tuple[str, int]]) -> list[tuple[str, int, Answer]]:
        wanted, stored = list(shards), self._database.answers
        return await self._network.statement(
            f"answers of {wanted}",
            self._process,
            lambda: [(kind, shard, answer) for kind, shard in wanted for answer in stored.get(shard, [])],
        )


class LeaderStore:
    """ShardStore as coordinators see it. Their statements happen at once: what may be slow is their hosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def shard_map(self, known: MapPosition = UNREAD) -> MapRead:
        return self._database.shard_map(known)

    async def write_map(self, leadership: Leadership, rows: Sequence[ShardRow]) -> MapWrite:
        return self._database.write_map(leadership, rows)

    async def hosts(self) -> list[HostRow]:
        return list(self._database.hosts.values())

    async def renew(self, generation: str, lease: float) -> Renewal:
        database = self._database
        self._check(generation)
        expired, database.expired = database.expired, set()
        for host in expired:
            database.hosts.pop(host, None)
        return Renewal(database.version, list(database.hosts.values()), lease, database.target_version)

    async def deregister(self, generation: str, host: str) -> bool:
        return self._leads(generation) and self._database.hosts.pop(host, None) is not None

    async def mark_draining(self, generation: str, host: str, draining: bool) -> None:
        if self._leads(generation) and host in self._database.hosts:
            self._database.hosts[host] = replace(self._database.hosts[host], draining=draining)

    def _leads(self, generation: str) -> bool:
        return generation == self._database.position.generation

    def _check(self, generation: str) -> None:
        if not self._leads(generation):
            raise LostLeadership(f"{generation} is over")
