"""Starting and stopping a runtime on the Ray cluster this process is connected to."""

from __future__ import annotations

import contextlib
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.runtime.coordination.coordinator import Coordinator
from actors.runtime.kind import load_kind
from actors.runtime.options import RuntimeOptions, ScalingPolicy
from actors.runtime.transport.ray_control import coordinator_name, host_name

__all__ = ["RuntimeOptions", "ScalingPolicy", "start_runtime", "stop_runtime"]


_COORDINATOR_BYTES = 100 << 20
_HEAD = "node:__internal_head__"


def start_runtime(options: RuntimeOptions) -> None:
    """Makes sure the runtime's coordinators exist; they start the hosts. Returns before hosts are up.

    Idempotent: a runtime that runs keeps the options it was started with. Raises ValueError for a kind
    that cannot be imported here.
    """
    for path in options.kinds:
        load_kind(path)
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    # The head first: the one node that all others reach, so that a coordinator there can forward what two of them
    # cannot tell each other.
    living = sorted((_HEAD not in node["Resources"], node["NodeID"]) for node in known if node["Alive"])
    nodes = [node for _, node in living]
    for index in range(options.coordinators):
        name = coordinator_name(index)
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
    for index in range(options.scaling.max_hosts):
        handle = _find(host_name(index), options.name)
        if handle is not None:
            ray.kill(handle)


def _find(name: str, namespace: str) -> Any:
    try:
        return ray.get_actor(name, namespace=namespace)
    except ValueError:
        return None
