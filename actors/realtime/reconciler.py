"""The reconciler of realtime hosts: keeps the wanted number of hosts, of the right version, running on every node."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import ray
import structlog
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.realtime.actor import MAX_PER_NODE, RealtimeActor, RealtimeOptions
from actors.realtime.placement import HostState, IdleNodes, Patience, Place, next_steps
from actors.runtime.coordination.ray_nodes import code_on_node, draining_nodes, idle_nodes, living_nodes
from cluster.code_version import CODE_VERSION

_DRAIN_TIMEOUT_S = 20.0
_STATUS_TIMEOUT_S = 2.0
_NAME = re.compile(r"realtime-([0-9a-f]{16})-(\d+)")
_FORMER_RECONCILER = "realtime-reconciler"
"""An actor of the version before, which would start again what is replaced here."""

log = structlog.get_logger(__name__)


class RealtimeReconciler:
    """Compares the realtime hosts that run with those that should run. Ray knows what runs: several processes may
    reconcile at once, and one that ends leaves nothing undone that the next does not see."""

    def __init__(self, options: RealtimeOptions) -> None:
        """Raises ValueError for more hosts per node than there are ports for, the one that is there while another is
        replaced included."""
        if not 0 < options.per_node < MAX_PER_NODE:
            raise ValueError(f"{options.per_node} realtime hosts per node: choose 1 to {MAX_PER_NODE - 1}")
        self._options = options
        self._patience = Patience()
        self._idle_nodes = IdleNodes(options.leave_idle_after_s)

    async def reconcile(self, target: str = "") -> None:
        """One comparison; waits for the hosts that it drains, at most 20 s. To be called every few seconds.

        Hosts that run another version of the code than ``target`` are replaced, one at a time, by hosts of this
        process's version: only a process that runs the target version may name it. Raises RayError without a cluster.
        """
        living, draining, idle = await asyncio.to_thread(lambda: (living_nodes(), draining_nodes(), idle_nodes()))
        if idle >= living - draining:
            idle = set()  # sockets must be somewhere
        left = self._idle_nodes.left(idle, time.monotonic())
        nodes = {node[:16]: node for node in living}
        hosts = await self.hosts()
        states = await _states(hosts)
        steps = next_steps(
            nodes,
            {node[:16] for node in draining | left},
            states,
            self._options.per_node,
            target,
            {node[:16] for node in idle},
        )
        for place in steps.lost:
            ray.kill(hosts[place])  # Ray would keep a restartable actor of a lost node pending for ever
        ready = [place for place in steps.surge if await self._has_code(nodes[place[0]])]
        for node, index in (*steps.start, *ready):
            await asyncio.to_thread(start_host, self._options, nodes[node], index)
        await asyncio.gather(*(_drain(place, hosts[place]) for place in steps.drain))
        leaving = {*steps.lost, *steps.drain}
        self._replace_those_that_do_not_serve(
            {place: (hosts[place], state) for place, state in states.items() if place not in leaving}
        )

    async def hosts(self) -> dict[Place, Any]:
        """The hosts' actor handles, by the first 16 digits of the node's id and the host's number there."""
        return await asyncio.to_thread(self._find_hosts)

    def _find_hosts(self) -> dict[Place, Any]:
        namespace, found = self._options.runtime, {}
        for actor in ray.util.list_named_actors(all_namespaces=True):
            name = actor["name"]
            match = _NAME.fullmatch(name)
            if actor["namespace"] != namespace or (match is None and name != _FORMER_RECONCILER):
                continue
            try:
                handle = ray.get_actor(name, namespace=namespace)
            except ValueError:
                continue  # it ended just now
            if match is None:
                ray.kill(handle)
            else:
                found[match[1], int(match[2])] = handle
        return found

    async def _has_code(self, node: str) -> bool:
        """Whether a host that starts on this node would run the version of this process."""
        version = await code_on_node(node)
        if version != CODE_VERSION:
            log.warning("realtime_update.waits_for_node", node=node, on_disk=version, target_version=CODE_VERSION)
        return version == CODE_VERSION

    def _replace_those_that_do_not_serve(self, hosts: Mapping[Place, tuple[Any, HostState]]) -> None:
        self._patience.keep(hosts)
        now = time.monotonic()
        for place, (handle, state) in hosts.items():
            if self._patience.replace(place, serves=state.phase == "serving", now=now):
                log.warning("realtime_host.replaced", node=place[0], index=place[1])
                ray.kill(handle, no_restart=False)


async def _states(hosts: Mapping[Place, Any]) -> dict[Place, HostState]:
    states = await asyncio.gather(*(_state(handle) for handle in hosts.values()))
    return dict(zip(hosts, states, strict=True))


async def _state(handle: Any) -> HostState:
    try:
        async with asyncio.timeout(_STATUS_TIMEOUT_S):
            status = await handle.status.remote()
    except (RayError, TimeoutError):
        return HostState("silent")
    return HostState(status["phase"], status.get("code_version", ""))


async def _drain(place: Place, handle: Any) -> None:
    log.info("realtime_host.drains", node=place[0], index=place[1])
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            await handle.drain.remote()
    except (RayError, TimeoutError) as error:
        log.warning("realtime_host.not_drained", node=place[0], index=place[1], error=str(error))
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
