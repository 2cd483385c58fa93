"""Starting and stopping a runtime on the Ray cluster this process is connected to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.runtime.coordination.coordinator import Coordinator
from actors.runtime.coordination.reconciler import Reconciler
from actors.runtime.errors import HostUnavailable
from actors.runtime.kind import load_kind
from actors.runtime.options import RuntimeOptions, ScalingPolicy
from actors.runtime.transport.ray_control import SURGE_HOST, ask, coordinator_name, host_name

__all__ = ["RuntimeOptions", "RuntimeReconciler", "ScalingPolicy", "start_runtime", "stop_runtime"]

_COORDINATOR_BYTES = 100 << 20
_HEAD = "node:__internal_head__"
_STATUS_SECONDS = 5.0
_RESIGN_SECONDS = 10.0


def start_runtime(options: RuntimeOptions) -> None:
    """Makes sure the runtime's coordinators exist; they start the hosts. Returns before hosts are up.

    Idempotent: a runtime that runs keeps the options it was started with. Raises ValueError for a kind
    that cannot be imported here, and for a policy of another type than its kind's.
    """
    for path, policy in options.kinds.items():
        load_kind(path).checked(policy)
    _create(options, [coordinator_name(index) for index in range(options.coordinators)])


class RuntimeReconciler:
    """Keeps a runtime's coordinators serving; they do the same for the hosts."""

    def __init__(self) -> None:
        self._coordinators = _Coordinators()
        self._reconciler = Reconciler(self._coordinators)

    async def reconcile(self, options: RuntimeOptions, target: str = "") -> bool:
        """Starts the coordinators that are missing and replaces those that have not served for a minute or more, and,
        one at a time, those that run another version of the code than ``target``.

        To be called every half a minute or so, and again soon when it returns True: an update is under way. Only a
        process that runs the target version itself may name it. Raises RayError without a cluster.
        """
        self._coordinators.options = options
        return await self._reconciler.reconcile(
            [coordinator_name(index) for index in range(options.coordinators)], target
        )


class _Coordinators:
    """See reconciler.CoordinatorActors."""

    options: RuntimeOptions

    async def ensure(self, names: Sequence[str]) -> None:
        await asyncio.to_thread(_create, self.options, names)

    async def status(self, name: str) -> Mapping[str, Any]:
        handle = await asyncio.to_thread(_find, name, self.options.name)
        if handle is None:
            raise HostUnavailable(f"no actor {name}")
        status: Mapping[str, Any] = await ask(handle.status.remote(), _STATUS_SECONDS)
        return status

    async def restart(self, name: str) -> None:
        handle = await asyncio.to_thread(_find, name, self.options.name)
        if handle is not None:
            ray.kill(handle, no_restart=False)

    async def replace(self, name: str, target: str) -> None:
        handle = await asyncio.to_thread(_find, name, self.options.name)
        if handle is None:
            return
        with contextlib.suppress(HostUnavailable):
            # This very actor: another process may have replaced the one that was asked before.
            if (await ask(handle.status.remote(), _STATUS_SECONDS)).get("code_version") == target:
                return
            await ask(handle.resign.remote(), _RESIGN_SECONDS)
        # Its successor gets the options of this process, so Ray must not start this one again.
        ray.kill(handle)


def _create(options: RuntimeOptions, names: Sequence[str]) -> None:
    """Creates the coordinators that do not exist."""
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    # The head first: the one node that all others reach, so that a coordinator there can forward what two of them
    # cannot tell each other.
    living = sorted((_HEAD not in node["Resources"], node["NodeID"]) for node in known if node["Alive"])
    nodes = [node for _, node in living]
    for index, name in enumerate(names):
        ray.remote(Coordinator).options(
            name=name,
            namespace=options.name,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_concurrency=1000,
            num_cpus=0,
            # Without any resource Ray would ignore the affinity below and might put all of them on one node.
            memory=_COORDINATOR_BYTES,
            scheduling_strategy=NodeAffinitySchedulingStrategy(nodes[index % len(nodes)], soft=True),
        ).remote(options, name)


def stop_runtime(options: RuntimeOptions) -> None:
    """Ends the coordinators, then the hosts. Volatile state is lost; what was acknowledged as durable is stored."""
    if not ray.is_initialized():
        return  # The cluster is gone; Ray would start one to look for it.
    for index in range(options.coordinators):
        handle = _find(coordinator_name(index), options.name)
        if handle is not None:
            with contextlib.suppress(RayError):
                ray.get(handle.resign.remote(), timeout=10)
            ray.kill(handle)
    for name in [*(host_name(index) for index in range(options.scaling.max_hosts)), SURGE_HOST]:
        handle = _find(name, options.name)
        if handle is not None:
            ray.kill(handle)


def _find(name: str, namespace: str) -> Any:
    try:
        return ray.get_actor(name, namespace=namespace)
    except ValueError:
        return None
