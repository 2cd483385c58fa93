"""The coordinator: a candidate for leadership that also serves the map to routers.

There are a few candidates on different nodes. The leader's lease is a row in Postgres, which also orders
their writes (its term), so losing the leader's node costs a lease's length and not Ray's 15 seconds. One
leader serves all kinds, since shards of all kinds live in the same host processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import ray
import structlog

from actors.runtime.clock import SYSTEM_CLOCK
from actors.runtime.coordination.host_actors import HostActors
from actors.runtime.coordination.leader import AFTER_EXPIRY_SECONDS, Leader
from actors.runtime.errors import HostUnavailable
from actors.runtime.kind import load_kind
from actors.runtime.options import RuntimeOptions
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView
from actors.runtime.store.rows import DATABASE_ERRORS, LostLeadership
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.ray_control import STANDBY_WATCH_SECONDS, WATCH_SECONDS, RayControl
from cluster.cancellation import raise_if_cancelled
from cluster.garbage_collection import collect_garbage_rarely
from cluster.logs import configure_logs

_STANDBY_TICKS_PER_LEASE = 4
_MAX_TICK_SECONDS = 0.5
_TICK_TIMEOUT_SECONDS = 10.0
"""Longer than any tick takes that is not stuck."""
_ANSWERS_KEPT = 300.0
"""Seconds for which stored answers are kept; deadlines are far shorter."""
_COMMITS_KEPT = 3600.0
"""Seconds for which the numbers of transactions are kept."""
_SWEEP_SECONDS = 60.0
_STALLED_SECONDS = 60.0
"""Every statement of a tick ends sooner than this."""

log = structlog.get_logger(__name__)


class Coordinator:
    """A Ray actor: named, detached, restarted by Ray whenever its process ends."""

    async def __init__(self, options: RuntimeOptions, name: str) -> None:  # type: ignore[misc]
        """Stores the arguments and starts the main task, which ends the process if it fails: Ray does not restart an
        actor whose constructor raises."""
        configure_logs(options.log_level, brand=options.name, process=name)
        collect_garbage_rarely()
        self._options = options
        self._name = name
        self._clock = SYSTEM_CLOCK
        self._started_at = self._clock.monotonic()
        self._ticked_at: float | None = None
        self._node = ""
        self._holder = f"{name}.{int(self._clock.time() * 1e9):x}"
        self._kinds: list[str] = []
        self._leader: Leader | None = None
        self._view = MapView()
        self._changed = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._swept_at = 0.0
        self._control: RayControl | None = None
        self._tasks = BackgroundTasks()
        self._main = self._tasks.spawn("coordinator.main", self._run(), critical=True)

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        """The map, as soon as it is at another position than ``known`` or after a while; and whether this one
        leads."""
        if self._view.position == known:
            hold = STANDBY_WATCH_SECONDS if self._leader is None else WATCH_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(hold):
                    await self._changed.wait()
        return self._view, self._leader is not None

    async def forward(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """Forwards a CALLS frame to a host that the caller cannot reach, and returns the ANSWERS frame.

        Raises HostUnavailable.
        """
        if self._control is None:
            raise HostUnavailable(f"{self._name} has not started yet")
        return await self._control.deliver_directly(host, caller, frame)

    async def status(self) -> dict[str, Any]:
        """Process id, node, seconds since its start, whether this candidate leads, the version of the code it runs,
        and its phase: "starting", "serving", "stalled" (its loop has not come round for too long), "resigned" or
        "failed"."""
        return {
            "pid": os.getpid(),
            "node": self._node,
            "up": self._clock.monotonic() - self._started_at,
            "leads": self._leader is not None,
            "phase": self._phase(),
            "code_version": self._options.running_version,
        }

    def _phase(self) -> str:
        if self._tasks.failed:
            return "failed"
        if self._main.done():
            return "resigned"
        if self._ticked_at is None:
            return "starting"
        return "serving" if self._clock.monotonic() - self._ticked_at < _STALLED_SECONDS else "stalled"

    async def resign(self) -> None:
        """Ends this candidate's part: it neither leads nor stands from now on (the runtime stops)."""
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)

    async def _run(self) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        self._control = RayControl(self._options.name, self._options.coordinators)
        self._kinds = [load_kind(path).name for path in self._options.kinds]
        pause = min(_MAX_TICK_SECONDS, self._options.leader_lease / _STANDBY_TICKS_PER_LEASE)
        store = await self._open_store(pause)
        host_actors = HostActors(self._options)
        try:
            while True:
                started = self._ticked_at = self._clock.monotonic()
                next_tick = pause
                try:
                    next_tick = await self._step(store, host_actors, pause)
                except (LostLeadership, *DATABASE_ERRORS) as error:
                    raise_if_cancelled()
                    # Without the database nobody else can lead either; try again until it is back.
                    log.warning("coordinator.interrupted", error=f"{type(error).__name__}: {error}")
                    await self._step_down()
                await self._wait_for_tick(max(0.02, next_tick - (self._clock.monotonic() - started)))
        finally:
            await self._step_down()
            try:
                await store.resign(self._holder)
            except DATABASE_ERRORS as error:
                log.warning("coordinator.not_resigned", error=str(error))
            await store.close()

    async def _wait_for_tick(self, seconds: float) -> None:
        if self._leader is None:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leader.due.wait()

    async def _open_store(self, pause: float) -> ShardStore:
        while True:
            try:
                return await ShardStore.open(self._options.database, application=f"coordinator {self._holder}")
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("database.unavailable", error=str(error))
                await asyncio.sleep(pause)

    async def _step(self, store: ShardStore, host_actors: HostActors, pause: float) -> float:
        """One tick; seconds until the next one."""
        lease = self._options.leader_lease
        if self._leader is None:
            election = await store.with_timeout(lease, store.lead(self._holder, lease, self._options.running_version))
            if (leadership := election.leadership) is None:
                await self._publish(store, election.position)
                return min(pause, election.lease_left + AFTER_EXPIRY_SECONDS)
            leader = Leader(
                leadership,
                store,
                host_actors,
                self._kinds,
                self._options.scaling,
                lambda position: self._publish(store, position),
                lease=lease,
                clock=self._clock,
                code_version=self._options.running_version,
            )
            await leader.load()
            self._leader = leader
            log.info("coordinator.leads", term=leadership.term, holder=self._holder)
        now = self._clock.monotonic()
        # Not within a lease: the lease is renewed first, and to go on after its end is safe, as all writes are fenced.
        await store.with_timeout(max(lease, _TICK_TIMEOUT_SECONDS), self._leader.tick(now))
        if now - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = now
            await store.forget_answers(_ANSWERS_KEPT)
            await store.forget_commits(_COMMITS_KEPT)
        await self._publish(store, self._leader.position)
        return min(pause, self._leader.next_tick())

    async def _step_down(self) -> None:
        if self._leader is not None:
            leader, self._leader = self._leader, None
            self._wake_watches()
            await leader.close()

    def _wake_watches(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _publish(self, store: ShardStore, position: MapPosition) -> None:
        """Reads what changed in the map, if it is not at the view's position, and wakes those who wait for it."""
        async with self._publishing:
            if position != self._view.position:
                await self._read(store)

    async def _read(self, store: ShardStore) -> None:
        read = await store.shard_map(self._view.position)
        if read.position == self._view.position:
            return
        if not read.continues:
            log.warning("map.went_back", known=self._view.position, stored=read.position)
        hosts = {
            row.host: Endpoint(row.name, row.node, row.address, row.socket, row.host) for row in await store.hosts()
        }
        known = self._view.owners if read.continues else {}
        owners = {kind: list(known.get(kind, [""] * SHARDS)) for kind in self._kinds}
        for row in read.rows:
            if row.kind in owners:
                owners[row.kind][row.shard] = row.host
        self._view = MapView(read.position.version, hosts, owners, read.position.generation)
        self._wake_watches()
