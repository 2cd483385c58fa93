"""The model's database: the tables of actors/runtime/store, with the same conditions on every write."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import msgpack

from actors.runtime.clock import Clock
from actors.runtime.shard_map import UNREAD, MapPosition
from actors.runtime.store.history import History, Known
from actors.runtime.store.rows import (
    AlreadyAnswered,
    AlreadyFired,
    Answer,
    AnswerRow,
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

COMMIT_ATTEMPTS = 2
"""Transactions that are begun for turns whose connection is lost each time."""


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
        self.commits: dict[UUID, int] = {}
        """See turn_commits."""
        self.beats: dict[str, float] = {}
        """When hosts sent the last heartbeat that is stored."""
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

    def remember(self) -> Callable[[], None]:
        """What puts everything back to how it is now, as a restored backup would."""
        map_goes_back = self.remember_map()
        commits, beats = dict(self.commits), dict(self.beats)
        lines = {entity: list(written) for entity, written in self.lines.items()}
        answers = {shard: list(stored) for shard, stored in self.answers.items()}
        timers, planned = dict(self.timers), dict(self.planned)

        def go_back() -> None:
            map_goes_back()
            self.commits, self.beats = dict(commits), dict(beats)
            self.lines = {entity: list(written) for entity, written in lines.items()}
            self.answers = {shard: list(stored) for shard, stored in answers.items()}
            self.timers, self.planned = dict(timers), dict(planned)

        return go_back

    def has(self, known: Known, host: str) -> bool:
        """Whether what a host knows to be stored is."""
        return self._has_beat(known, host) and self._has_commits(known)

    def _has_beat(self, known: Known, host: str) -> bool:
        return self.beats.get(host, -math.inf) >= known.beat_at

    def _has_commits(self, known: Known) -> bool:
        return all(self.commits.get(series, 0) >= number for series, number in known.commits.items())

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

    def commit(
        self,
        writes: Sequence[TurnWrite],
        series: UUID,
        number: int,
        known: Known,
        refused: dict[TurnWrite, Exception],
    ) -> None:
        """One transaction, like that of TurnWrites. It fails as a whole for a line that is rejected; what it leaves out
        is added to ``refused``."""
        if not self._has_commits(known):
            refused.update((write, StaleEpoch("the database went back")) for write in writes)
            return
        if any(line in self.rejected for write in writes for line in lines_of(write)):
            raise ValueError("a line is rejected")
        for write in writes:
            try:
                host = write.fence.host
                if known.beat_at > -math.inf and not (host in self.hosts and self._has_beat(known, host)):
                    raise StaleEpoch("the database went back")
                self._commit(write)
            except (StaleEpoch, AlreadyAnswered) as error:
                refused[write] = error
        if len(refused) < len(writes):
            self.commits[series] = number

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

    def __init__(self, database: Database, network: Network, process: str, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._network = network
        self._process = process
        self.history = History()

    async def shard_map(self, known: MapPosition) -> MapRead:
        return await self._network.statement("map", self._process, lambda: self._database.shard_map(known))

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        """See TurnWrites.commit: turns whose connection is lost are committed again, if they were not."""
        lines = [line for write in writes for line in lines_of(write)]
        for attempt in range(1, COMMIT_ATTEMPTS + 1):
            series, known, refused = self.history.begin(), self.history.known(), dict[TurnWrite, Exception]()
            number = series.number + 1
            commit = partial(self._database.commit, writes, series.id, number, known, refused)
            try:
                try:
                    await self._network.statement(f"commit {lines}", self._process, commit)
                except OSError:
                    if not await self._was_committed(series.id, number):
                        if attempt == COMMIT_ATTEMPTS:
                            raise
                        continue
                if len(refused) < len(writes):
                    self.history.committed(series, self._clock.monotonic())
                return refused
            finally:
                self.history.rolled_back(series)
        raise AssertionError("not reached")

    async def _was_committed(self, series: UUID, number: int) -> bool:
        while True:
            with contextlib.suppress(OSError):
                return await self._network.statement(
                    f"outcome of {number}", self._process, lambda: self._database.commits.get(series, 0) >= number
                )

    async def timers(self, shards: Iterable[tuple[str, int]], until: float) -> list[TimerRow]:
        owned, stored = set(shards), self._database.timers
        return await self._network.statement(
            f"timers of {owned}",
            self._process,
            lambda: [row for row in stored.values() if (row.kind, row.shard) in owned and row.due <= until],
        )

    async def answers(self, shards: Iterable[tuple[str, int]]) -> list[AnswerRow]:
        wanted, stored = list(shards), self._database.answers
        return await self._network.statement(
            f"answers of {wanted}",
            self._process,
            lambda: [AnswerRow(kind, shard, answer) for kind, shard in wanted for answer in stored.get(shard, [])],
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
