"""The hosts of a runtime: as many as the load wants, of the version of the code that is wanted, on nodes that stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import structlog

from actors.runtime.coordination.host_actors import HostActors
from actors.runtime.coordination.host_deaths import HostDeaths
from actors.runtime.coordination.scaling import HostLoad, Scaler
from actors.runtime.coordination.update import outdated, wanted_hosts
from actors.runtime.metrics import DECLARED_DEAD, HOSTS
from actors.runtime.options import ScalingPolicy
from actors.runtime.store.rows import HostRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.ray_control import host_name

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

log = structlog.get_logger(__name__)


class Fleet:
    """The hosts, as the leader of one term keeps them. What it stores raises LostLeadership once another leads."""

    def __init__(
        self,
        store: ShardStore,
        host_actors: HostActors,
        policy: ScalingPolicy,
        tasks: BackgroundTasks,
        code_version: str,
        wake: Callable[[], None],
    ) -> None:
        """``code_version`` is what this process runs. ``wake`` asks for a ``keep`` at once."""
        self._store = store
        self._host_actors = host_actors
        self._policy = policy
        self._tasks = tasks
        self._scaler = Scaler(policy)
        self._deaths = HostDeaths(host_actors, tasks, wake)
        self.rows: dict[str, HostRow] = {}
        """The living hosts, by incarnation."""
        self.wanted = policy.min_hosts
        """How many hosts the load wants."""
        self._ensured_at: dict[str, float] = {}
        self._missing: dict[str, tuple[float, float]] = {}
        """Wanted hosts that do not serve, by name: since when (or which replacement), and how long that may take."""
        self._asked: set[str] = set()
        """Hosts that this leader or one before it has asked for."""
        self._unwanted: dict[str, float] = {}
        """Those that are neither wanted nor serve, so that they have no row by which they would be drained: since
        when."""
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

    def load(self, rows: Sequence[HostRow]) -> None:
        """Takes over the hosts of the term before."""
        self.rows = {row.host: row for row in rows}
        # Not how many are here: one that just restarts is still wanted, and no other in its place.
        # One that drains though it runs other code than this leader is perhaps being replaced.
        settled = {row.name for row in rows if not row.draining or row.code_version != self._code_version}
        wanted = max((index + 1 for index in range(self._policy.max_hosts) if host_name(index) in settled), default=0)
        self.wanted = max(wanted, self._policy.min_hosts)
        # Not waited for: without the head Ray does not answer for minutes.
        self._tasks.spawn("leader.existing_hosts", self._read_existing_hosts())

    @property
    def missing(self) -> bool:
        """Whether a host that is wanted does not serve."""
        return bool(self._missing)

    async def keep(self, rows: Sequence[HostRow], target_version: str, generation: str, now: float) -> None:
        """Compares the hosts that live with those that are wanted; starts, drains and ends hosts. ``generation`` is the
        leader's."""
        self._target_version = target_version
        self._count_ended_leases(rows)
        self.rows = {row.host: row for row in rows}
        await self._declare_dead(generation, "superseded", superseded(rows))
        await self._declare_dead(generation, "process ended", self._deaths.dead_among(list(self.rows.values())))
        self._scale(now)
        await self._start(generation, now)

    def _count_ended_leases(self, living: Sequence[HostRow]) -> None:
        # Those that were deregistered are not among the rows any more.
        for host in self.rows.keys() - {row.host for row in living}:
            log.warning("host.declared_dead", host=host, cause="lease ended")
            DECLARED_DEAD.labels("lease ended").inc()

    async def _declare_dead(self, generation: str, cause: str, rows: Sequence[HostRow]) -> None:
        for row in rows:
            if await self._store.deregister(generation, row.host):
                log.warning("host.declared_dead", host=row.host, cause=cause)
                DECLARED_DEAD.labels(cause).inc()
            del self.rows[row.host]

    async def deregister_drained(self, generation: str, owned: Callable[[str], object]) -> None:
        """Ends the drained hosts that own nothing any more (``owned``)."""
        for row in list(self.rows.values()):
            if row.draining and not owned(row.host) and await self._store.deregister(generation, row.host):
                await self._host_actors.stop(row.name)
                self._asked.discard(row.name)
                del self.rows[row.host]

    def _scale(self, now: float) -> None:
        if now - self._scaled_at < _SCALE_SECONDS:
            return
        self._scaled_at = now
        loads = [host_load(row) for row in self.rows.values() if not row.draining]
        wanted = self._scaler.decide(loads, self.wanted, now)
        if wanted != self.wanted:
            log.info("hosts.wanted", wanted=wanted, before=self.wanted)
        self.wanted = wanted
        HOSTS.labels("wanted").set(wanted)
        HOSTS.labels("living").set(len(self.rows))
        HOSTS.labels("outdated").set(len(self._outdated()))

    def _outdated(self) -> list[HostRow]:
        return outdated(list(self.rows.values()), self._target_version)

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

    async def _start(self, generation: str, now: float) -> None:
        by_name = {row.name: row for row in self.rows.values()}
        self._look_for_leaving_nodes(now)
        hosts = wanted_hosts(
            list(self.rows.values()),
            self.wanted,
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
                await self._store.mark_draining(generation, row.host, drains)
                # At once, so that a host that is wanted again is not deregistered in this very look.
                self.rows[row.host] = replace(row, draining=drains)

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
