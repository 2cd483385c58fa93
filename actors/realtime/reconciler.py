"""The reconciler of realtime hosts: keeps the wanted number of hosts running on every node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import ray
import structlog
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.realtime.actor import RealtimeActor, RealtimeOptions
from actors.runtime.supervise import BackgroundTasks
from cluster.logs import configure_logs

RECONCILER = "realtime-reconciler"
_PAUSE_S = 2.0
_DRAIN_TIMEOUT_S = 20.0
_STATUS_TIMEOUT_S = 2.0
_START_S = 60.0
"""How long a host may take until it serves, and be silent, before its process is replaced."""
_MAX_START_S = 960.0

log = structlog.get_logger(__name__)

Place = tuple[str, int]
"""A node's id and the number of a host there."""


def missing_and_surplus(
    nodes: Iterable[str], running: Iterable[Place], per_node: int
) -> tuple[list[Place], list[Place]]:
    """Returns the hosts to start, and those to stop because their node is gone or there are too many."""
    wanted = {(node, index) for node in nodes for index in range(per_node)}
    here = set(running)
    return sorted(wanted - here), sorted(here - wanted)


class Patience:
    """How long hosts may take until they serve. Each replacement of a host gets twice the time of the one before."""

    def __init__(self) -> None:
        self._waiting: dict[Place, tuple[float, float]] = {}

    def replace(self, place: Place, *, serves: bool, now: float) -> bool:
        """Whether a host is to be replaced at ``now`` (monotonic seconds), since it has not served for too long."""
        if serves:
            self._waiting.pop(place, None)
            return False
        since, limit = self._waiting.setdefault(place, (now, _START_S))
        if now - since < limit:
            return False
        self._waiting[place] = (now, min(2 * limit, _MAX_START_S))
        return True

    def forget(self, place: Place) -> None:
        """The host is not wanted any more."""
        self._waiting.pop(place, None)


class RealtimeReconciler:
    """A named, detached, restartable Ray actor. Ray knows what runs; this only compares it with what should run."""

    async def __init__(self, options: RealtimeOptions) -> None:  # type: ignore[misc]
        configure_logs(options.log_level, brand=options.brand, process=RECONCILER)
        self._options = options
        self._running: dict[Place, Any] = {}
        self._leaving: set[str] = set()
        self._patience = Patience()
        self._tasks = BackgroundTasks()
        self._main = self._tasks.spawn("realtime-reconciler", self._reconcile(), critical=True)

    async def hosts(self) -> dict[str, list[Any]]:
        """Returns the hosts' actor handles by node."""
        await self._compare()
        by_node: dict[str, list[Any]] = {}
        for (node, _), handle in self._running.items():
            by_node.setdefault(node, []).append(handle)
        return by_node

    async def drain(self, node: str) -> None:
        """Drains the hosts of a node before it is removed. Ray's own drains (`ray drain-node`, the autoscaler's) are
        noticed without this."""
        self._leaving.add(node)
        await self._end([place for place in self._running if place[0] == node])

    async def stop(self) -> None:
        """Drains all hosts."""
        await self._tasks.close()
        await self._end(list(self._running))

    async def _reconcile(self) -> None:
        while True:
            try:
                await self._compare()
                await self._replace_those_that_do_not_serve()
            except RayError as error:
                log.warning("realtime hosts not reconciled", error=str(error))
            await asyncio.sleep(_PAUSE_S)

    async def _compare(self) -> None:
        nodes, draining = await asyncio.to_thread(_nodes)
        self._leaving = {node for node in self._leaving if node in nodes}
        staying = nodes - self._leaving - draining
        missing, surplus = missing_and_surplus(staying, self._running, self._options.per_node)
        for place in surplus:
            self._patience.forget(place)
            handle: Any = self._running.pop(place)
            if place[0] in nodes:
                self._tasks.spawn("drain", _drain(handle))
            else:
                # Ray would keep a restartable actor of a lost node pending for ever.
                ray.kill(handle)
        for node, index in missing:
            self._running[node, index] = start_host(self._options, node, index)

    async def _replace_those_that_do_not_serve(self) -> None:
        running = dict(self._running)
        serving = await asyncio.gather(*(_serves(handle) for handle in running.values()))
        now = time.monotonic()
        for (place, handle), serves in zip(running.items(), serving, strict=True):
            if self._running.get(place) != handle:
                continue  # it was drained meanwhile
            if self._patience.replace(place, serves=serves, now=now):
                log.warning("realtime_host.replaced", node=place[0], index=place[1])
                ray.kill(handle, no_restart=False)

    async def _end(self, places: list[Place]) -> None:
        handles = [self._running.pop(place) for place in places]
        for place in places:
            self._patience.forget(place)
        await asyncio.gather(*(_drain(handle) for handle in handles))


def _nodes() -> tuple[set[str], set[str]]:
    """The living nodes, and those that Ray drains. Blocks."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    # Serve asks the same way where its replicas should leave; Ray has no public call for it.
    draining = ray._private.state.state.get_draining_nodes()
    return {node["NodeID"] for node in nodes if node["Alive"]}, set(draining)


async def _serves(handle: Any) -> bool:
    try:
        async with asyncio.timeout(_STATUS_TIMEOUT_S):
            status = await handle.status.remote()
    except (RayError, TimeoutError):
        return False
    return bool(status["phase"] == "serving")


async def _drain(handle: Any) -> None:
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            await handle.drain.remote()
    except (RayError, TimeoutError) as error:
        log.warning("realtime host did not drain", error=str(error))
    ray.kill(handle)


def start_host(options: RealtimeOptions, node: str, index: int) -> Any:
    """Starts a host on a node, or finds the one that runs. Returns its handle."""
    return (
        ray.remote(RealtimeActor)
        .options(
            name=f"realtime-{node[:16]}-{index}",
            namespace=options.runtime,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_concurrency=1000,
            num_cpus=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        .remote(options, index)
    )


def start_realtime(options: RealtimeOptions) -> Any:
    """Starts the reconciler, which runs realtime hosts on every node. Returns its handle. Idempotent."""
    return (
        ray.remote(RealtimeReconciler)
        .options(
            name=RECONCILER,
            namespace=options.runtime,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_concurrency=100,
            num_cpus=0,
        )
        .remote(options)
    )


def stop_realtime(namespace: str) -> None:
    """Drains and stops all realtime hosts of a runtime."""
    reconciler: Any
    try:
        reconciler = ray.get_actor(RECONCILER, namespace=namespace)
    except ValueError:
        return
    ray.get(reconciler.stop.remote(), timeout=_DRAIN_TIMEOUT_S + 5)
    ray.kill(reconciler)
