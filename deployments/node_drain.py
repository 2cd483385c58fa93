"""Empties a worker node before it stops: sockets, entities and requests go on elsewhere."""

import re
import subprocess
import sys
import time
from collections.abc import Mapping

import psutil

from cluster.local.processes import Processes, ServiceError
from cluster.node.run import RAY

_PAUSE_S = 0.5
_MOVED = ("realtime-", "host-", "SERVE_REPLICA")
"""How the names of actors begin that leave a node which is drained. The others have nothing to lose."""
_MORE_S = 10.0
"""For the start of the process that drains."""
_NOT_EMPTY = 3


def empty_node(processes: Processes, environment: Mapping[str, str], seconds: float) -> bool:
    """Lets this machine's worker node be drained and waits until nothing is left there that clients would miss, at most
    so many seconds. Returns whether that is so. A head, and a node that does not run, are left alone: True.

    `environment` is that of Ray's processes. Raises ServiceError if the node cannot be drained.
    """
    ray = processes.find(RAY)
    if ray is None or "--head" in ray.cmdline():
        return True
    # A process of its own: Ray reads its settings as it is imported, and waits for a head that is gone for minutes.
    command = [sys.executable, "-m", "deployments.node_drain", *_raylet(ray), str(seconds)]
    try:
        drained = subprocess.run(  # noqa: S603 - our own command line
            command, env=dict(environment), stderr=subprocess.PIPE, text=True, timeout=seconds + _MORE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError("the head does not answer") from error
    if drained.returncode not in (0, _NOT_EMPTY):
        raise ServiceError(f"the node was not drained: {drained.stderr.strip().rpartition(chr(10))[2]}")
    return drained.returncode == 0


def _raylet(ray: psutil.Process) -> tuple[str, str]:
    """The address of the cluster, and the id of the node, that `ray start` runs."""
    for process in ray.children(recursive=True):
        arguments = " ".join(process.cmdline())
        address, node = re.search(r"--gcs-address=(\S+)", arguments), re.search(r"--node_id=([0-9a-f]+)", arguments)
        if address and node:
            return address[1], node[1]
    raise ServiceError("the node has no raylet")


def _drain(address: str, node: str, seconds: float) -> bool:
    from ray._private.state import GlobalState
    from ray._raylet import GcsClientOptions  # type: ignore[attr-defined]

    from actors.runtime.coordination.ray_nodes import drain_node

    deadline = time.monotonic() + seconds
    state = GlobalState()  # type: ignore[no-untyped-call]
    state._initialize_global_state(GcsClientOptions.create(address, None, True, False))
    drain_node(address, node, seconds)
    while True:
        actors = state.actor_table(None, None, "ALIVE").values()
        if not any(actor["Address"]["NodeID"] == node and actor["Name"].startswith(_MOVED) for actor in actors):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    sys.exit(0 if _drain(sys.argv[1], sys.argv[2], float(sys.argv[3])) else _NOT_EMPTY)
