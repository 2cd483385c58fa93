"""The coordinator's decisions, as a pure machine: what the next version of the map says.

The shell asks for decisions, stores them as one map version under its leader's term, and only then
hands them to ``apply``. A coordinator that cannot store them throws its machine away. Hosts follow the
stored map, so a lost, repeated or late message between coordinator and host changes nothing for good.

Per shard, with owner A at epoch e (docs/runtime.md has the host's side):

    (A, e)            --move-->             (A, e, moving to B)
    (A, e, moving B)  --A released-->       (B, e+1)
    (A, e, moving B)  --B died/A refused--> (A, e+1)            A keeps its memory: nobody else owned e+1
    (A, e, moving B)  --A died-->           (B, e+1)            B has A's state if A got as far as sending it
    (A, e)            --A died-->           (C, e+1)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from actors.runtime.coordination.placement import moves, spread
from actors.runtime.shard_map import SHARDS
from actors.runtime.store.rows import ShardRow

MAX_MOVES = 64
"""Shards a kind that move at the same time: small enough that a round is over within a blink."""


Lacking = Mapping[str, Collection[str]]
"""The hosts, by kind, whose code does not have it: before an update that adds one."""
NOBODY_LACKS: Lacking = {}


class ShardPlan:
    """The map of every kind and the hosts it may use."""

    def __init__(self, kinds: Iterable[str], rows: Iterable[ShardRow] = (), shards: int = SHARDS) -> None:
        self._shards = shards
        self.rows: dict[str, dict[int, ShardRow]] = {kind: {} for kind in kinds}
        self.apply(rows)

    def apply(self, rows: Iterable[ShardRow]) -> None:
        """Takes over rows that are stored."""
        for row in rows:
            if row.kind in self.rows:
                self.rows[row.kind][row.shard] = row

    def owned(self, host: str) -> int:
        """How many shards of all kinds a host owns or is about to get."""
        return sum(row.host == host or row.moving_to == host for rows in self.rows.values() for row in rows.values())

    def repair(self, living: Mapping[str, bool], lacking: Lacking = NOBODY_LACKS) -> list[ShardRow]:
        """Rows that give every shard a living owner that has its kind. ``living`` maps each living host to whether it
        drains."""
        changed: list[ShardRow] = []
        for kind, rows in self.rows.items():
            hosts = _having(kind, living, lacking)
            able = [host for host, draining in hosts.items() if not draining] or list(hosts)
            if not able:
                continue
            counts = dict.fromkeys(able, 0)
            orphans = []
            for shard in range(self._shards):
                row = rows.get(shard)
                if row is None or (row.host not in hosts and row.moving_to not in hosts):
                    orphans.append(shard)
                    continue
                if row.host not in hosts:
                    row = ShardRow(kind, shard, row.moving_to, row.epoch + 1)
                    changed.append(row)
                elif row.moving_to and row.moving_to not in hosts:
                    row = ShardRow(kind, shard, row.host, row.epoch + 1)
                    changed.append(row)
                future = row.moving_to or row.host
                if future in counts:
                    counts[future] += 1
            for shard, host in spread(orphans, counts).items():
                row = rows.get(shard)
                changed.append(ShardRow(kind, shard, host, row.epoch + 1 if row else 1))
        return changed

    def balance(
        self, living: Mapping[str, bool], resting: Collection[str] = (), lacking: Lacking = NOBODY_LACKS
    ) -> list[ShardRow]:
        """Rows that start moves towards an even spread and away from draining hosts.

        Hosts that are ``resting`` could not make their last moves; nothing is asked of them.
        """
        changed = []
        for kind, rows in self.rows.items():
            staying = [host for host, draining in _having(kind, living, lacking).items() if not draining]
            moving = {shard for shard, row in rows.items() if row.moving_to}
            room = MAX_MOVES - len(moving)
            if room <= 0:
                continue
            future = {shard: row.moving_to or row.host for shard, row in rows.items()}
            settled = moving | {shard for shard, row in rows.items() if row.host in resting}
            for shard, host in moves(future, staying, room, settled).items():
                changed.append(replace(rows[shard], moving_to=host))
        return changed

    def moving(self) -> list[ShardRow]:
        """The moves under way."""
        return [row for rows in self.rows.values() for row in rows.values() if row.moving_to]

    def released(self, claims: Collection[ShardRow]) -> list[ShardRow]:
        """Rows that finish moves whose owner says it let go; claims about anything but the present are dropped."""
        return [ShardRow(row.kind, row.shard, row.moving_to, row.epoch + 1) for row in self._current(claims)]

    def refused(self, claims: Collection[ShardRow]) -> list[ShardRow]:
        """Rows that call off moves the owner could not make; it goes on with what it has in memory."""
        return [ShardRow(row.kind, row.shard, row.host, row.epoch + 1) for row in self._current(claims)]

    def _current(self, claims: Collection[ShardRow]) -> list[ShardRow]:
        return [row for row in claims if row.moving_to and self.rows.get(row.kind, {}).get(row.shard) == row]


def _having(kind: str, hosts: Mapping[str, bool], lacking: Lacking) -> Mapping[str, bool]:
    without = lacking.get(kind)
    return {host: draining for host, draining in hosts.items() if host not in without} if without else hosts
