"""One term of leadership: decides where shards are, stores, applies, tells the hosts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from actors.runtime.clock import SYSTEM_CLOCK, Clock
from actors.runtime.coordination.fleet import Fleet
from actors.runtime.coordination.host_actors import HostActors
from actors.runtime.coordination.plan import Lacking, ShardPlan
from actors.runtime.errors import HostUnavailable
from actors.runtime.metrics import MOVES
from actors.runtime.options import ScalingPolicy
from actors.runtime.shard_map import MapPosition
from actors.runtime.store.rows import DATABASE_ERRORS, Leadership, LostLeadership, ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.supervise import BackgroundTasks

_TICKS_PER_LEASE = 4
_BUSY_TICKS_PER_LEASE = 8
_BUSY_TICK_SECONDS = 0.25
"""The longest pause while shards move or hosts are missing."""
AFTER_EXPIRY_SECONDS = 0.005
"""How long after the end of a lease somebody looks who waits for it."""
_GATHER_SECONDS = 3.0
"""How long an empty map waits for all wanted hosts after the first, so that shards need not move at once."""
_REST_SECONDS = 5.0
"""How long a host that could not make a move is left alone: it may be cut off from where its shards should go."""

log = structlog.get_logger(__name__)


class Leader:
    """The acting coordinator. Every method raises LostLeadership once another leads; then it is of no more use."""

    def __init__(
        self,
        leadership: Leadership,
        store: ShardStore,
        host_actors: HostActors,
        kinds: Sequence[str],
        policy: ScalingPolicy,
        publish: Callable[[MapPosition], Awaitable[None]],
        *,
        lease: float = 2.0,
        clock: Clock = SYSTEM_CLOCK,
        code_version: str = "",
    ) -> None:
        """``publish`` is called after every change of the map. ``code_version`` is what this process runs."""
        self._leadership = leadership
        self._lease = lease
        self._store = store
        self._host_actors = host_actors
        self._machine = ShardPlan(kinds)
        self._publish = publish
        self._clock = clock
        self._next_expiry = 0.0
        self._first_seen: float | None = None
        self._deciding = asyncio.Lock()
        self._releasing: set[tuple[str, int]] = set()
        self._resting: dict[str, float] = {}
        self._settled: tuple[Mapping[str, bool], set[str], Lacking, MapPosition] | None = None
        """Hosts and whether they drain, resting ones, kinds that some lack, and the map, between which nothing is to be
        done."""
        self._tasks = BackgroundTasks()
        self.due = asyncio.Event()
        """Set while a tick should not wait for its time."""
        self.fleet = Fleet(store, host_actors, policy, self._tasks, code_version, self.due.set)

    async def load(self) -> None:
        """Takes over the stored map."""
        read = await self._store.shard_map()
        if read.position != self._leadership.position:
            raise LostLeadership(f"the map is at {read.position}, not {self._leadership.position}")
        self._machine.apply(read.rows)
        self.fleet.load(await self._store.hosts())

    @property
    def position(self) -> MapPosition:
        """Of the map that this leader wrote or took over last."""
        return self._leadership.position

    def next_tick(self) -> float:
        """Seconds until the next tick is due: at the first end of a host's lease, and soon while anything is under
        way."""
        if self.fleet.missing or self._releasing or self._machine.moving() or not self.fleet.rows:
            return min(_BUSY_TICK_SECONDS, self._lease / _BUSY_TICKS_PER_LEASE)
        return min(self._lease / _TICKS_PER_LEASE, max(0.0, self._next_expiry) + AFTER_EXPIRY_SECONDS)

    async def tick(self, now: float) -> None:
        """One comparison of what should be with what is, and what follows from it. ``now`` is monotonic."""
        self.due.clear()
        version = self.position.version
        renewal = await self._store.renew(self.position.generation, self._lease)
        if renewal.version < version:
            # A restored backup, or a replica that missed the last writes. A new term has a new generation, by which
            # all who know more than is stored notice.
            raise LostLeadership(f"the map went back from version {version} to {renewal.version}")
        self._next_expiry = renewal.next_expiry
        await self.fleet.keep(renewal.hosts, renewal.target_version, self.position.generation, now)
        if self._gathered(now):
            living = {row.host: row.draining for row in self.fleet.rows.values()}
            self._resting = {host: until for host, until in self._resting.items() if until > now}
            async with self._deciding:
                await self._compare(living)
            self._drive_moves()
            await self.fleet.deregister_drained(self.position.generation, self._machine.owned)

    async def _compare(self, living: Mapping[str, bool]) -> None:
        """Repairs the map, ends moves, balances. What was found settled is not compared again, so that an idle
        leader does not look at every shard twice a second."""
        lacking = {kind: hosts for kind in self._machine.rows if (hosts := self._lacking(kind))}
        compared = (living, set(self._resting), lacking, self.position)
        settled = compared == self._settled
        repairs = [] if settled else self._machine.repair(living, lacking)
        await self._store_rows(repairs, "repair")
        await self._end_moves(self._reported("released"), self._reported("refused"))
        if settled and self.position == compared[3]:
            return
        moves = self._machine.balance(living, self._resting, lacking)
        await self._store_rows(moves, "")
        self._settled = None if repairs or moves or self.position != compared[3] else compared

    def _lacking(self, kind: str) -> frozenset[str]:
        """The hosts that do not have a kind: they have reported others."""
        reports = ((host, row.load.get("entities_by_kind")) for host, row in self.fleet.rows.items())
        return frozenset(host for host, kinds in reports if kinds is not None and kind not in kinds)

    async def close(self) -> None:
        """Stops what is under way; the next leader drives the moves on."""
        await self._tasks.close()

    def _gathered(self, now: float) -> bool:
        """Whether there are hosts enough to begin with."""
        if not self.fleet.rows:
            return False
        if self.position.version > 0 or len(self.fleet.rows) >= self.fleet.wanted:
            return True
        if self._first_seen is None:
            self._first_seen = now
        return now - self._first_seen >= _GATHER_SECONDS

    async def _store_rows(self, rows: Sequence[ShardRow], cause: str) -> None:
        if not rows:
            return
        write = await self._store.write_map(self._leadership, rows)
        self._leadership = replace(self._leadership, position=write.position)
        if len(write.written) < len(rows):
            log.info("map.rows_locked", locked=len(rows) - len(write.written), written=len(write.written))
        affected = {row.host for row in write.written} | {row.moving_to for row in write.written}
        for row in write.written:
            old = self._machine.rows[row.kind].get(row.shard)
            if old is not None:
                affected.add(old.host)
                if old.host != row.host:
                    MOVES.labels(row.kind, cause).inc()
        self._machine.apply(write.written)
        for host in affected & self.fleet.rows.keys():
            notify = self._host_actors.notify_map(self.fleet.rows[host].name, write.position)
            self._tasks.spawn("leader.notify_map", notify)
        await self._publish(write.position)

    # --- moves --------------------------------------------------------------------------------------------

    def _drive_moves(self) -> None:
        """Asks owners to let go of shards that are to move, unless they are being asked."""
        groups: dict[str, list[ShardRow]] = defaultdict(list)
        for row in self._machine.moving():
            if (row.kind, row.shard) not in self._releasing and row.host in self.fleet.rows:
                groups[row.host].append(row)
        for host, rows in groups.items():
            self._releasing.update((row.kind, row.shard) for row in rows)
            self._tasks.spawn("leader.release", self._release(self.fleet.rows[host].name, rows))

    async def _release(self, name: str, rows: Sequence[ShardRow]) -> None:
        """Asks until the host has nothing new to say: some of the shards may be let go long before others."""
        by_claim = {(row.kind, row.shard, row.epoch): row for row in rows}
        try:
            while by_claim:
                outcome = await self._host_actors.release(name, self.position, list(by_claim))
                released, refused = (
                    [by_claim.pop(claim) for claim in claims if claim in by_claim] for claims in outcome
                )
                if not released and not refused:
                    break
                async with self._deciding:
                    await self._end_moves(released, refused)
        except HostUnavailable as error:
            log.info("release.unanswered", host=name, error=str(error))
        except (LostLeadership, *DATABASE_ERRORS) as error:
            # The next look meets it too, if it lasts; moves that could not be stored are asked for again.
            log.warning("release.not_stored", host=name, error=f"{type(error).__name__}: {error}")
        finally:
            self._releasing.difference_update((row.kind, row.shard) for row in rows)

    def _reported(self, outcome: str) -> list[ShardRow]:
        """Moves whose end the hosts told with their heartbeats: they need no answer to ``release`` to go through."""
        rows = []
        for host in self.fleet.rows.values():
            for kind, shard, epoch in host.load.get(outcome, ()):
                row = self._machine.rows.get(kind, {}).get(shard)
                if row is not None and (row.host, row.epoch) == (host.host, epoch):
                    rows.append(row)
        return rows

    async def _end_moves(self, released: Sequence[ShardRow], refused: Sequence[ShardRow]) -> None:
        await self._store_rows(self._machine.released(released), "balance")
        called_off = self._machine.refused(refused)
        for row in called_off:
            self._resting[row.host] = self._clock.monotonic() + _REST_SECONDS
        await self._store_rows(called_off, "")
