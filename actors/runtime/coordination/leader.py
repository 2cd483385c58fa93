"""One term of leadership: decides, stores, applies, tells the hosts; and keeps as many hosts as load wants."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace

import structlog

from actors.runtime.clock import SYSTEM_CLOCK, Clock
from actors.runtime.coordination.host_actors import HostActors
from actors.runtime.coordination.plan import Lacking, ShardPlan
from actors.runtime.coordination.scaling import HostLoad, Scaler
from actors.runtime.coordination.update import outdated, wanted_hosts
from actors.runtime.errors import HostUnavailable
from actors.runtime.metrics import HOSTS, MOVES
from actors.runtime.options import ScalingPolicy
from actors.runtime.shard_map import MapPosition
from actors.runtime.store.rows import DATABASE_ERRORS, HostRow, Leadership, LostLeadership, ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.ray_control import host_name

_TICKS_PER_LEASE = 4
_BUSY_TICKS_PER_LEASE = 8
_BUSY_TICK_SECONDS = 0.25
"""The longest pause while shards move or hosts are missing."""
_AFTER_EXPIRY_SECONDS = 0.005
_GATHER_SECONDS = 3.0
"""How long an empty map waits for all wanted hosts after the first, so that shards need not move at once."""
_ENSURE_SECONDS = 2.0
"""Between two requests to Ray for a host that is wanted and not here."""
_START_SECONDS = 45.0
"""How long a host that was asked for may take until it serves; then its process is replaced. Ray notices the loss of a
node after 15.5 s, the rest is for the start. Each further attempt gets twice the time."""
_MAX_START_SECONDS = 720.0
"""A host that waits for a place on a node is merely scheduled again; one that failed for hours is still replaced soon
after its cause is gone."""
_SCALE_SECONDS = 1.0
_CHECK_NODES_SECONDS = 10.0
"""Between two comparisons of the code on the nodes' disks with the version that hosts should run."""
_LOOK_FOR_LEAVING_SECONDS = 2.0
"""Between two questions to Ray which nodes are to go."""
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
        self._scaler = Scaler(policy)
        self._policy = policy
        self._publish = publish
        self._clock = clock
        self._wanted = policy.min_hosts
        self._next_expiry = 0.0
        self._hosts: dict[str, HostRow] = {}
        self._ensured_at: dict[str, float] = {}
        self._missing: dict[str, tuple[float, float]] = {}
        """Wanted hosts that do not serve, by name: since when (or which replacement), and how long that may take."""
        self._asked: set[str] = set()
        """Hosts that this leader or one before it has asked for."""
        self._unwanted: dict[str, float] = {}
        """Those that are neither wanted nor serve, so that they have no row by which they would be drained: since
        when."""
        self._first_seen: float | None = None
        self._scaled_at = 0.0
        self._code_version = code_version
        self._target_version = ""
        self._nodes_checked_at = float("-inf")
        self._nodes_ready = False
        """Whether a host would run the target version on whichever node it starts."""
        self._leaving: frozenset[str] = frozenset()
        """Nodes that are to go."""
        self._looked_for_leaving_at = float("-inf")
        self._looks_for_leaving: asyncio.Task[None] | None = None
        self._deciding = asyncio.Lock()
        self._releasing: set[tuple[str, int]] = set()
        self._resting: dict[str, float] = {}
        self._settled: tuple[Mapping[str, bool], set[str], Lacking, MapPosition] | None = None
        """Hosts and whether they drain, resting ones, kinds that some lack, and the map, between which nothing is to be
        done."""
        self._tasks = BackgroundTasks()

    async def load(self) -> None:
        """Takes over the stored map."""
        read = await self._store.shard_map()
        if read.position != self._leadership.position:
            raise LostLeadership(f"the map is at {read.position}, not {self._leadership.position}")
        self._machine.apply(read.rows)
        self._hosts = {row.host: row for row in await self._store.hosts()}
        # Not how many are here: one that just restarts is still wanted, and no other in its place.
        # One that drains though it runs other code than this leader is perhaps being replaced.
        settled = {
            row.name for row in self._hosts.values() if not row.draining or row.code_version != self._code_version
        }
        wanted = max((index + 1 for index in range(self._policy.max_hosts) if host_name(index) in settled), default=0)
        self._wanted = max(wanted, self._policy.min_hosts)
        # Not waited for: without the head Ray does not answer for minutes.
        self._tasks.spawn("leader.existing_hosts", self._read_existing_hosts())

    @property
    def position(self) -> MapPosition:
        """Of the map that this leader wrote or took over last."""
        return self._leadership.position

    def next_tick(self) -> float:
        """Seconds until the next tick is due: at the first end of a host's lease, and soon while anything is under
        way."""
        if self._missing or self._releasing or self._machine.moving() or not self._hosts:
            return min(_BUSY_TICK_SECONDS, self._lease / _BUSY_TICKS_PER_LEASE)
        return min(self._lease / _TICKS_PER_LEASE, max(0.0, self._next_expiry) + _AFTER_EXPIRY_SECONDS)

    async def tick(self, now: float) -> None:
        """One comparison of what should be with what is, and what follows from it. ``now`` is monotonic."""
        version = self.position.version
        renewal = await self._store.renew(self.position.generation, self._lease)
        if renewal.version < version:
            # A restored backup, or a replica that missed the last writes. A new term has a new generation, by which
            # all who know more than is stored notice.
            raise LostLeadership(f"the map went back from version {version} to {renewal.version}")
        self._next_expiry = renewal.next_expiry
        self._target_version = renewal.target_version
        self._hosts = {row.host: row for row in renewal.hosts}
        for row in superseded(renewal.hosts):
            await self._store.deregister(self.position.generation, row.host)
            del self._hosts[row.host]
        self._scale(now)
        await self._start_hosts(now)
        if self._gathered(now):
            living = {row.host: row.draining for row in self._hosts.values()}
            self._resting = {host: until for host, until in self._resting.items() if until > now}
            async with self._deciding:
                await self._compare(living)
            self._drive_moves()
            await self._deregister_drained()

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
        reports = ((host, row.load.get("entities_by_kind")) for host, row in self._hosts.items())
        return frozenset(host for host, kinds in reports if kinds is not None and kind not in kinds)

    async def close(self) -> None:
        """Stops what is under way; the next leader drives the moves on."""
        await self._tasks.close()

    def _gathered(self, now: float) -> bool:
        """Whether there are hosts enough to begin with."""
        if not self._hosts:
            return False
        if self.position.version > 0 or len(self._hosts) >= self._wanted:
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
        for host in affected & self._hosts.keys():
            notify = self._host_actors.notify_map(self._hosts[host].name, write.position)
            self._tasks.spawn("leader.notify_map", notify)
        await self._publish(write.position)

    # --- moves --------------------------------------------------------------------------------------------

    def _drive_moves(self) -> None:
        """Asks owners to let go of shards that are to move, unless they are being asked."""
        groups: dict[str, list[ShardRow]] = defaultdict(list)
        for row in self._machine.moving():
            if (row.kind, row.shard) not in self._releasing and row.host in self._hosts:
                groups[row.host].append(row)
        for host, rows in groups.items():
            self._releasing.update((row.kind, row.shard) for row in rows)
            self._tasks.spawn("leader.release", self._release(self._hosts[host].name, rows))

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
        for host in self._hosts.values():
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

    # --- hosts --------------------------------------------------------------------------------------------

    def _scale(self, now: float) -> None:
        if now - self._scaled_at < _SCALE_SECONDS:
            return
        self._scaled_at = now
        loads = [host_load(row) for row in self._hosts.values() if not row.draining]
        wanted = self._scaler.decide(loads, self._wanted, now)
        if wanted != self._wanted:
            log.info("hosts.wanted", wanted=wanted, before=self._wanted)
        self._wanted = wanted
        HOSTS.labels("wanted").set(wanted)
        HOSTS.labels("living").set(len(self._hosts))
        HOSTS.labels("outdated").set(len(self._outdated()))

    def _outdated(self) -> list[HostRow]:
        return outdated(list(self._hosts.values()), self._target_version)

    def _may_replace(self, now: float) -> bool:
        """Whether outdated hosts may be replaced now. Hosts get the options of this leader, so it must be one of the
        target version itself; and a node whose files are older would only give another outdated host."""
        if self._target_version != self._code_version or not self._outdated():
            self._nodes_ready = False
            self._nodes_checked_at = float("-inf")
            return False
        if now - self._nodes_checked_at >= _CHECK_NODES_SECONDS:
            self._nodes_checked_at = now
            self._tasks.spawn("leader.check_nodes", self._check_nodes())
        return self._nodes_ready

    async def _check_nodes(self) -> None:
        others = await self._host_actors.nodes_without(self._code_version)
        self._nodes_ready = not others
        if others:
            log.warning("update.waits_for_nodes", nodes=others, target_version=self._code_version)

    def _look_for_leaving_nodes(self, now: float) -> None:
        # Without the head Ray does not answer for minutes.
        waits = self._looks_for_leaving is not None and not self._looks_for_leaving.done()
        if not waits and now - self._looked_for_leaving_at >= _LOOK_FOR_LEAVING_SECONDS:
            self._looked_for_leaving_at = now
            self._looks_for_leaving = self._tasks.spawn("leader.leaving_nodes", self._read_leaving_nodes())

    async def _read_leaving_nodes(self) -> None:
        leaving = await self._host_actors.leaving_nodes()
        if leaving != self._leaving:
            log.info("nodes.leaving", nodes=sorted(leaving))
        self._leaving = leaving

    async def _start_hosts(self, now: float) -> None:
        by_name = {row.name: row for row in self._hosts.values()}
        self._look_for_leaving_nodes(now)
        hosts = wanted_hosts(
            list(self._hosts.values()),
            self._wanted,
            self._target_version,
            may_replace=self._may_replace(now),
            leaving=self._leaving,
        )
        wanted = hosts.names
        self._stop_unwanted(wanted | by_name.keys(), now)
        for name in wanted - by_name.keys():
            since, patience = self._missing.setdefault(name, (now, _START_SECONDS))
            if now - self._ensured_at.get(name, float("-inf")) >= _ENSURE_SECONDS:
                self._ensured_at[name] = now
                self._tasks.spawn("leader.ensure_host", self._host_actors.ensure(name))
            if now - since >= patience:
                log.warning("host.replaced", host=name, not_serving_for=round(now - since, 1))
                self._missing[name] = (now, min(2 * patience, _MAX_START_SECONDS))
                self._tasks.spawn("leader.replace_host", self._host_actors.stop(name, restart=True))
        self._missing = {name: since for name, since in self._missing.items() if name in wanted - by_name.keys()}
        for row in by_name.values():
            drains = hosts.drains(row)
            if drains != row.draining:
                if row.host == hosts.replacing:
                    log.info(
                        "host.replacing",
                        host=row.host,
                        runs=row.code_version,
                        target=self._target_version,
                        node_leaves=row.node in self._leaving,
                    )
                await self._store.mark_draining(self.position.generation, row.host, drains)
                # At once, so that a host that is wanted again is not deregistered in this very look.
                self._hosts[row.host] = replace(row, draining=drains)

    async def _read_existing_hosts(self) -> None:
        self._asked.update(await self._host_actors.existing())

    def _stop_unwanted(self, needed: Collection[str], now: float) -> None:
        """Ends hosts that hang as they start, and are not wanted any more."""
        self._asked.update(needed)
        self._unwanted = {name: self._unwanted.get(name, now) for name in self._asked.difference(needed)}
        for name, since in self._unwanted.items():
            if now - since >= _START_SECONDS:
                log.warning("host.unwanted", host=name, not_serving_for=round(now - since, 1))
                self._asked.discard(name)
                self._tasks.spawn("leader.stop_host", self._host_actors.stop(name))

    async def _deregister_drained(self) -> None:
        for row in list(self._hosts.values()):
            if (
                row.draining
                and not self._machine.owned(row.host)
                and await self._store.deregister(self.position.generation, row.host)
            ):
                await self._host_actors.stop(row.name)
                self._asked.discard(row.name)
                del self._hosts[row.host]


def superseded(rows: Sequence[HostRow]) -> list[HostRow]:
    """Earlier incarnations of a host that started again on the same node: Ray starts one only after the other ended.

    On another node the earlier one may live on behind a broken network; its lease has to run out.
    """
    newest: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row.name, row.node)
        newest[key] = max(newest.get(key, ""), row.host)
    return [row for row in rows if row.host != newest[row.name, row.node]]


def host_load(row: HostRow) -> HostLoad:
    """A host's last report; one that never reported carries nothing."""
    load = row.load
    return HostLoad(
        calls_per_second=float(load.get("calls_per_second", 0.0)),
        queue_wait=float(load.get("queue_wait", 0.0)),
        memory=int(load.get("memory", 0)),
        idle_memory=int(load.get("idle_memory", 0)),
    )
