"""The model's database: the tables of actors/runtime/store, with the same conditions on every write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from actors.runtime import Turn
from actors.runtime.store.rows import AlreadyAnswered, Answer, HostRow, LostLeadership, ShardRow, StaleEpoch
from tests.unit.runtime.network import Network


class Database:
    """What is stored. Checks that epochs only grow and have one owner each."""

    def __init__(self) -> None:
        self.term = 0
        self.version = 0
        self.rows: dict[int, ShardRow] = {}
        self._versions: dict[int, int] = {}
        self.hosts: dict[str, HostRow] = {}
        self.expired: set[str] = set()
        """Hosts whose lease ran out; the next leader that looks declares them dead."""
        self.lines: dict[str, list[str]] = {}
        """What was written per entity, in order."""
        self.answers: dict[int, list[Answer]] = {}
        self.collisions: list[tuple[bytes, int]] = []
        """Calls whose second run only the primary key of stored answers stopped."""

    def shard_map(self, since: int) -> tuple[int, list[ShardRow]]:
        return self.version, [row for shard, row in self.rows.items() if self._versions[shard] > since]

    def write_map(self, term: int, rows: Sequence[ShardRow]) -> int:
        if term != self.term:
            raise LostLeadership(f"term {term} is over")
        self.version += 1
        for row in rows:
            old = self.rows.get(row.shard)
            assert old is None or row.epoch >= old.epoch, "an epoch went backwards"
            assert old is None or row.epoch > old.epoch or row.host == old.host, "an epoch has two owners"
            self.rows[row.shard] = row
            self._versions[row.shard] = self.version
        return self.version

    def commit(self, turn: Turn) -> None:
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
        stored += turn.answers
        self.lines.setdefault(turn.entity_id, []).extend(line for _, line in turn.effects)


class HostStore:
    """ShardStore as one host process sees it: every statement takes as long as the network likes."""

    def __init__(self, database: Database, network: Network, process: str) -> None:
        self._database = database
        self._network = network
        self._process = process

    async def shard_map(self, since: int = 0) -> tuple[int, list[ShardRow]]:
        return await self._network.statement("map", self._process, lambda: self._database.shard_map(since))

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

    async def shard_map(self, since: int = 0) -> tuple[int, list[ShardRow]]:
        return self._database.shard_map(since)

    async def write_map(self, term: int, rows: Sequence[ShardRow]) -> int:
        return self._database.write_map(term, rows)

    async def hosts(self) -> list[HostRow]:
        return list(self._database.hosts.values())

    async def expire_hosts(self, term: int) -> list[str]:
        if term != self._database.term:
            return []
        dead, self._database.expired = self._database.expired, set()
        return [host for host in dead if self._database.hosts.pop(host, None)]

    async def deregister(self, term: int, host: str) -> bool:
        return term == self._database.term and self._database.hosts.pop(host, None) is not None

    async def mark_draining(self, term: int, host: str, draining: bool) -> None:
        if term == self._database.term and host in self._database.hosts:
            self._database.hosts[host] = replace(self._database.hosts[host], draining=draining)
