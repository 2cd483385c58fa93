"""The reconciler of realtime hosts: keeps the wanted number of hosts running on every node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import ray
import structlog
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.realtime.actor import RealtimeActor, RealtimeOptions

RECONCILER = "realtime-reconciler"
_PAUSE_S = 2.0
_DRAIN_TIMEOUT_S = 20.0

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


class RealtimeReconciler:
    """A named, detached, restartable Ray actor. Ray knows what runs; this only compares it with what should run."""

    async def __init__(self, options: RealtimeOptions) -> None:  # type: ignore[misc]
        self._options = options
        self._running: dict[Place, Any] = {}
        self._leaving: set[str] = set()
        self._watching = asyncio.create_task(self._watch())

    async def hosts(self) -> dict[str, list[Any]]:
        """Returns the hosts' actor handles by node."""
        await self._compare()
        by_node: dict[str, list[Any]] = {}
        for (node, _), handle in self._running.items():
            by_node.setdefault(node, []).append(handle)
        return by_node

    async def drain(self, node: str) -> None:
        """Drains the hosts of a node before it is removed."""
        self._leaving.add(node)
        await self._end([place for place in self._running if place[0] == node])

    async def stop(self) -> None:
        """Drains all hosts."""
        self._watching.cancel()
        await self._end(list(self._running))

    async def _watch(self) -> None:
        while True:
            try:
                await self._compare()
            except RayError as error:
                log.warning("realtime hosts not reconciled", error=str(error))
            await asyncio.sleep(_PAUSE_S)

    async def _compare(self) -> None:
        nodes = await asyncio.to_thread(ray.nodes)
        alive = {node["NodeID"] for node in nodes if node["Alive"]}
        missing, surplus = missing_and_surplus(alive - self._leaving, self._running, self._options.per_node)
        for place in surplus:
            if place[0] in alive and place[0] not in self._leaving:
                await self._end([place])
            elif place[0] not in alive:
                # Ray would keep a restartable actor of a lost node pending for ever.
                ray.kill(self._running.pop(place))
        for node, index in missing:
            self._running[node, index] = start_host(self._options, node, index)

    async def _end(self, places: list[Place]) -> None:
        handles = [self._running.pop(place) for place in places]
        await asyncio.gather(*(_drain(handle) for handle in handles))


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
