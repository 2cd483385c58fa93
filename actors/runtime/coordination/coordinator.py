"""The coordinator: a candidate for leadership, which also tells everyone who asks what the map is.

There are a few candidates on different nodes. The leader's lease is a row in Postgres, which also orders
their writes (its term), so losing the leader's node costs a lease's length and not Ray's 15 seconds. One
leader serves all kinds: shards of all kinds live in the same host processes, and a host's health is one
question.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import ray
import structlog

from actors.runtime.coordination.host_actors import HostActors
from actors.runtime.coordination.leader import Leader
from actors.runtime.kind import load_kind
from actors.runtime.options import RuntimeOptions
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.store.rows import DATABASE_ERRORS, LostLeadership
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.transport.ray_control import WATCH_SECONDS, RayControl
from cluster.logs import configure_logs

_TICKS_PER_LEASE = 8
_TICK_SECONDS = 0.25
"""At most this long between two looks at the hosts, however long the lease."""
_ANSWERS_KEPT = 300.0
"""Seconds for which stored answers are kept; deadlines are far shorter."""
_SWEEP_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Coordinator:
    """A Ray actor: named, detached, restarted by Ray."""

    async def __init__(self, options: RuntimeOptions, name: str) -> None:  # type: ignore[misc]
        configure_logs(options.log_level, brand=options.name, process=name)
        self._options = options
        self._holder = f"{name}.{time.time_ns():x}"
        self._kinds = [load_kind(path).name for path in options.kinds]
        self._leader: Leader | None = None
        self._view = MapView()
        self._changed = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._tidied_at = 0.0
        self._control = RayControl(options.name, options.coordinators)
        self._main = asyncio.create_task(self._run(), name="coordinator")

    async def watch(self, version: int) -> tuple[MapView, bool]:
        """The map, as soon as it is newer than ``version`` or after a second; and whether this one leads."""
        if self._view.version <= version:
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    while self._view.version <= version:
                        await self._changed.wait()
            except TimeoutError:
                pass
        return self._view, self._leader is not None

    async def forward(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """Carries a CALLS frame to a host that whoever asks cannot reach, and the answers back."""
        return await self._control.deliver_directly(host, caller, frame)

    async def status(self) -> dict[str, Any]:
        """Process id, node, and whether this candidate leads (for operators and tests)."""
        node = ray.get_runtime_context().get_node_id()
        return {"pid": os.getpid(), "node": node, "leads": self._leader is not None}

    async def resign(self) -> None:
        """Ends this candidate's part: it neither leads nor stands from now on (the runtime stops)."""
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)

    async def _run(self) -> None:
        pause = min(_TICK_SECONDS, self._options.lease / _TICKS_PER_LEASE)
        while True:
            try:
                store = await ShardStore.open(self._options.database, application=f"coordinator {self._holder}")
            except DATABASE_ERRORS as error:
                log.warning("database.unavailable", error=str(error))
                await asyncio.sleep(pause)
                continue
            break
        host_actors = HostActors(self._options)
        try:
            while True:
                started = time.monotonic()
                try:
                    await self._step(store, host_actors)
                except (LostLeadership, *DATABASE_ERRORS) as error:
                    # Without the database nobody else can lead either; try again until it is back.
                    log.warning("coordinator.interrupted", error=f"{type(error).__name__}: {error}")
                    await self._step_down()
                await asyncio.sleep(max(0.02, pause - (time.monotonic() - started)))
        finally:
            await self._step_down()
            try:
                await store.resign(self._holder)
            except DATABASE_ERRORS as error:
                log.warning("coordinator.not_resigned", error=str(error))
            await store.close()

    async def _step(self, store: ShardStore, host_actors: HostActors) -> None:
        lease = self._options.lease
        term = await store.with_timeout(lease, store.lead(self._holder, lease))
        if term is None or (self._leader is not None and self._leader.term != term):
            await self._step_down()
        if term is not None and self._leader is None:
            leader = Leader(term, store, host_actors, self._kinds, self._options.scaling, lambda: self._publish(store))
            await leader.load()
            self._leader = leader
            log.info("coordinator.leads", term=term, holder=self._holder)
        if self._leader is not None:
            now = time.monotonic()
            await self._leader.tick(now)
            if now - self._tidied_at > _SWEEP_SECONDS:
                self._tidied_at = now
                await store.forget_answers(_ANSWERS_KEPT)
        await self._publish(store)

    async def _step_down(self) -> None:
        if self._leader is not None:
            leader, self._leader = self._leader, None
            await leader.close()

    async def _publish(self, store: ShardStore) -> None:
        """Reads what changed in the map and wakes those who wait for it."""
        async with self._publishing:
            await self._read(store)

    async def _read(self, store: ShardStore) -> None:
        version, rows = await store.shard_map(self._view.version)
        if version == self._view.version:
            return
        hosts = {
            row.host: Endpoint(row.name, row.node, row.address, row.socket, row.host) for row in await store.hosts()
        }
        owners = {kind: list(self._view.owners.get(kind, [""] * SHARDS)) for kind in self._kinds}
        for row in rows:
            if row.kind in owners:
                owners[row.kind][row.shard] = row.host
        self._view = MapView(version, hosts, owners)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
