"""Starts and stops the host actors, and calls them, for the leader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
import structlog
from ray.exceptions import RayError

from actors.runtime.coordination.ray_nodes import code_on_node, draining_nodes, living_nodes
from actors.runtime.coordination.ray_workers import follow_worker_ends, process_has_ended
from actors.runtime.errors import HostUnavailable
from actors.runtime.options import RuntimeOptions
from actors.runtime.shard_map import MapPosition
from actors.runtime.store.rows import Claim
from actors.runtime.transport.ray_control import HOST_PREFIX, SURGE_HOST, ask

RELEASE_SECONDS = 15.0

log = structlog.get_logger(__name__)


class HostActors:
    """The host actors of one runtime, by name."""

    def __init__(self, options: RuntimeOptions) -> None:
        self._options = options
        self._asks_for_ends = ThreadPoolExecutor(1, "worker-ends")
        """Without the head Ray does not answer for minutes: that is to take no thread from others."""

    async def ensure(self, name: str) -> None:
        """Asks Ray for the host actor if it has none of this name. A host that fits nowhere waits for a node."""
        from actors.runtime.hosting.host import ShardHost

        options = self._options
        make = ray.remote(ShardHost).options(
            name=name,
            namespace=options.name,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=1000,
            # The surge host is there for an update's minutes only, which must not wait for a node to come for it.
            num_cpus=0 if name == SURGE_HOST else options.host_cpus,
            resources=dict(options.host_resources) or None,
            scheduling_strategy="SPREAD",
        )
        try:
            await asyncio.to_thread(make.remote, options, name)
        except (RayError, ValueError) as error:
            log.warning("host.not_started", host=name, error=str(error))

    async def existing(self) -> list[str]:
        """The names of the host actors that Ray has, whether they serve or not; none while Ray does not say."""
        try:
            actors = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        except RayError as error:
            log.info("hosts.unknown", error=str(error))
            return []
        names = [actor["name"] for actor in actors if actor["namespace"] == self._options.name]
        return [name for name in names if name.startswith(HOST_PREFIX)]

    async def nodes_without(self, code_version: str) -> list[str]:
        """The nodes on whose disk there is another version of the code, and those that do not say."""
        living = sorted(await asyncio.to_thread(living_nodes))
        versions = await asyncio.gather(*(code_on_node(node) for node in living))
        return [node for node, version in zip(living, versions, strict=True) if version != code_version]

    async def leaving_nodes(self) -> frozenset[str]:
        """The nodes that are to go, unless there are no others. None while Ray does not say."""
        try:
            if not (draining := await asyncio.to_thread(draining_nodes)):
                return frozenset()
            living = await asyncio.to_thread(living_nodes)
        except RayError as error:
            log.info("nodes.unknown", error=str(error))
            return frozenset()
        return frozenset(living & draining) if living - draining else frozenset()

    async def follow_worker_ends(self, announced: Callable[[str], None]) -> None:
        """See host_deaths.Workers."""
        await follow_worker_ends(announced)

    async def process_has_ended(self, worker: str) -> bool:
        """See host_deaths.Workers."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._asks_for_ends, process_has_ended, worker)
        except RayError as error:
            log.info("worker.unknown", worker=worker, error=str(error))
            return False

    async def _handle(self, name: str) -> Any:
        try:
            return await asyncio.to_thread(ray.get_actor, name, namespace=self._options.name)
        except (ValueError, RayError) as error:
            raise HostUnavailable(f"no host {name}") from error

    async def stop(self, name: str, *, restart: bool = False) -> None:
        """Ends a host's process; with ``restart`` Ray starts it again."""
        try:
            ray.kill(await self._handle(name), no_restart=not restart)
        except (HostUnavailable, RayError, ValueError) as error:
            log.info("host.not_stopped", host=name, error=str(error))

    async def notify_map(self, name: str, position: MapPosition) -> None:
        """Tells a host that the map is at ``position``; it would find out by itself at its next heartbeat."""
        try:
            await ask((await self._handle(name)).notify_map.remote(position), 1.0)
        except HostUnavailable as error:
            log.info("host.not_notified", host=name, error=str(error))

    async def release(
        self, name: str, position: MapPosition, claims: Sequence[Claim]
    ) -> tuple[list[Claim], list[Claim]]:
        """Waits until the host let these shards go, as the map at ``position`` tells it: (released, refused).

        Raises HostUnavailable; then nothing is known, and asking again is safe.
        """
        released, refused = await ask(
            (await self._handle(name)).release.remote(position, list(claims)), RELEASE_SECONDS
        )
        return [tuple(claim) for claim in released], [tuple(claim) for claim in refused]
