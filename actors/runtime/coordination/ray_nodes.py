"""What Ray and the nodes themselves say of the cluster's nodes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import ray
import structlog
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.core.generated import autoscaler_pb2
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.runtime.errors import HostUnavailable
from actors.runtime.transport.ray_control import ask
from cluster.code_version import code_on_disk

_CODE_ON_NODE_SECONDS = 30.0
"""A node starts a process to answer."""

log = structlog.get_logger(__name__)


def living_nodes() -> set[str]:
    """The ids of the living nodes, those that are drained included. Blocks."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"] for node in nodes if node["Alive"]}


def draining_nodes() -> set[str]:
    """The ids of the nodes that are to go (`entativa node stop`, `ray drain-node`, the autoscaler). Blocks."""
    # Serve asks the same way where its replicas should leave; Ray has no public call for it.
    return set(ray._private.state.state.get_draining_nodes())


def idle_nodes() -> set[str]:
    """The ids of the living nodes with CPUs none of which is reserved: what an autoscaler would let go. Blocks."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    cpus = {node["NodeID"]: node["Resources"].get("CPU", 0.0) for node in nodes if node["Alive"]}
    free: dict[str, dict[str, float]] = ray._private.state.state.available_resources_per_node()  # type: ignore[no-untyped-call]
    return {node for node, total in cpus.items() if total and free.get(node, {}).get("CPU", 0.0) >= total}


def drain_node(address: str, node: str, seconds: float) -> None:
    """Lets the cluster of this Ray address know that a node is to go within so many seconds: nothing new is placed on
    it, and who has work there moves it. Blocks. Raises RuntimeError if Ray refuses."""
    deadline = int((time.time() + seconds) * 1000)
    reason: int = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")  # type: ignore[attr-defined]
    accepted, why = GcsClient(address=address).drain_node(node, reason, "it is stopped", deadline)
    if not accepted:
        raise RuntimeError(f"Ray does not drain the node: {why}")


async def code_on_node(node: str) -> str:
    """The version of the code on a node's disk; "" if the node does not answer."""
    # One call a process: one that has imported this version must not become a host of the next.
    task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(code_on_disk).options(
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
    )
    try:
        return str(await ask(await asyncio.to_thread(task.remote), _CODE_ON_NODE_SECONDS))
    except (HostUnavailable, RayError, ValueError) as error:
        log.info("node.code_unknown", node=node, error=str(error))
        return ""
