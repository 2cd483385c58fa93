"""The command line of `ray start` for a head and for a worker."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cluster.node.settings import NodeSettings

TRANSCODING = "transcoding"
"""The resource of which a job of transcoding takes one unit: a node has as many as CPUs. CPUs themselves are taken by
actors that need little of them most of the time, so that on a small node none would be left."""


def head_command(node: NodeSettings, *, client_port: int, autoscaling_config: Path | None = None) -> list[str]:
    """Starts a cluster. `client_port` is for Ray's client server, which cannot be turned off."""
    ports = node.ports
    command = [
        *_start(node),
        *("--head", "--port", str(ports.ray_port)),
        *("--dashboard-host", node.dashboard_host, "--dashboard-port", str(ports.dashboard_port)),
        *("--ray-client-server-port", str(client_port)),
        *("--temp-dir", str(node.folder)),
    ]
    if autoscaling_config is not None:
        command += ["--autoscaling-config", str(autoscaling_config)]
    if node.ray_storage_url is not None:
        parts = urlsplit(node.ray_storage_url.get_secret_value())
        # Ray hands both on to its own command lines, so whoever has an account on the head can read them.
        if parts.username:
            command += ["--redis-username", unquote(parts.username)]
        if parts.password:
            command += ["--redis-password", unquote(parts.password)]
    return command


def worker_command(node: NodeSettings, head: str) -> list[str]:
    """Joins the cluster of the head at `head` (a host, or ``host:port``)."""
    address = head if ":" in head else f"{head}:{node.ports.ray_port}"
    return [*_start(node), "--address", address]


def _start(node: NodeSettings) -> list[str]:
    ports = node.ports
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"),
        # For an agent whose port it does not know, a node waits 15 s and then ends: not enough on a busy machine.
        *("--dashboard-agent-listen-port", str(ports.ray_agent_port)),
        *("--dashboard-agent-grpc-port", str(ports.ray_agent_grpc_port)),
        *("--runtime-env-agent-port", str(ports.ray_runtime_env_port)),
        *("--metrics-export-port", str(ports.ray_metrics_port)),
        *("--object-store-memory", str(node.object_store_bytes)),
        # It sends what workers print to a driver's terminal; there is none, and the dashboard reads the files.
        *("--include-log-monitor", "false"),
    ]
    transcoding = int(node.node_cpus) if node.node_cpus is not None else os.cpu_count() or 1
    if transcoding:
        command += ["--resources", json.dumps({TRANSCODING: transcoding})]
    if node.node_address:
        command += ["--node-ip-address", node.node_address]
    if node.node_cpus is not None:
        command += ["--num-cpus", f"{node.node_cpus:g}"]
    if node.node_memory_bytes is not None:
        command += ["--memory", str(node.node_memory_bytes)]
    return command
