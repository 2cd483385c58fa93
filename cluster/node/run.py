"""Starts and stops the Ray node of this machine, with its metrics exporter."""

import contextlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from cluster.local.processes import Processes, ServiceError, free_port, require_port
from cluster.node.environment import ray_environment
from cluster.node.ray_command import head_command, worker_command
from cluster.node.serve_api import ServeApi
from cluster.node.settings import NodeSettings

RAY, METRICS = "ray", "metrics"
"""The names of the two processes."""

WORKER_PORTS = (
    *("http_port", "ray_agent_port", "ray_agent_grpc_port", "ray_runtime_env_port", "ray_metrics_port"),
    *("haproxy_metrics_port", "haproxy_stats_port"),
)
HEAD_PORTS = (*WORKER_PORTS, "dashboard_port", "ray_port", "fallback_http_port")
"""The fields of Ports that the Ray node listens on."""

_START_S = 120
_ATTEMPTS = 3
_TOO_SLOW = ("timed out during startup", "exited unexpectedly")
"""What Ray says of a node that has not joined after 30 s, and of one a part of which has ended. On a busy machine the
time is not enough, and cannot be changed, so the node is started again."""
_STARTED = "Ray runtime started"
"""What `ray start` says of a node that has joined. The dashboard of a head may answer long before, and end with a start
that takes too long."""


def start_head(
    node: NodeSettings,
    processes: Processes,
    environment: Mapping[str, str],
    *,
    autoscaling_config: Path | None = None,
) -> None:
    """Start a head if it does not run, and wait until it has joined its own cluster and its dashboard answers.
    `environment` holds the platform's own settings. Raises ServiceError."""
    if processes.find(RAY) is not None:
        return
    _prepare(node, HEAD_PORTS)
    command = head_command(node, client_port=free_port(), autoscaling_config=autoscaling_config)
    api = ServeApi(node)
    settings = {**environment, **ray_environment(node)}
    _start_ray(processes, command, settings, lambda log: _STARTED in log and api.answers())


def start_worker(node: NodeSettings, processes: Processes, environment: Mapping[str, str], head: str) -> None:
    """Start a worker if it does not run, and wait until it has joined the head's cluster. Raises ServiceError."""
    if processes.find(RAY) is not None:
        return
    _prepare(node, WORKER_PORTS)
    command, settings = worker_command(node, head), {**environment, **ray_environment(node)}
    _start_ray(processes, command, settings, lambda log: _STARTED in log)


def _start_ray(
    processes: Processes, command: Sequence[str], environment: Mapping[str, str], ready: Callable[[str], bool]
) -> None:
    """Starts it and waits until it is `ready`, which is asked with what it has printed. Raises ServiceError."""
    for attempt in range(1, _ATTEMPTS + 1):
        known = len(processes.log(RAY))
        processes.start(RAY, command, environment=environment)
        deadline = time.monotonic() + _START_S
        while not ready(log := processes.log(RAY)[known:]):
            if processes.find(RAY) is None:
                break
            if time.monotonic() > deadline:
                raise ServiceError(f"Ray did not become ready within {_START_S:g} s")
            time.sleep(0.2)
        else:
            return
        if attempt == _ATTEMPTS or not any(words in log for words in _TOO_SLOW):
            raise ServiceError(f"Ray ended at its start:\n{processes.log_tail(RAY, 20)}")
        processes.sweep(spare=[METRICS])  # its raylet may still run


def _prepare(node: NodeSettings, ports: tuple[str, ...]) -> None:
    for name in ports:
        require_port(getattr(node.ports, name), "Ray", f"ENTATIVA_{name.upper()}")
    _write_token(node)
    # What a former run has left, logs above all, stays until the next one.
    shutil.rmtree(node.folder, ignore_errors=True)


def _write_token(node: NodeSettings) -> None:
    """The configured token, or one of this node's own where none is configured."""
    configured = node.ray_token.get_secret_value()
    if not configured and node.ray_token_file.exists():
        return
    node.home.mkdir(parents=True, exist_ok=True)
    draft = node.ray_token_file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(configured or secrets.token_hex(32))
    draft.rename(node.ray_token_file)


def stop_node(processes: Processes) -> bool:
    """Stop this node's Ray and what is left of it; the other nodes go on. Returns whether it ran."""
    ran = processes.stop_tree(RAY, timeout_s=3)
    processes.stop(METRICS)
    processes.sweep()
    return ran


def stop_platform(node: NodeSettings, processes: Processes) -> bool:
    """Let Serve finish the requests at hand on all nodes, then stop this one. Returns whether it ran."""
    with contextlib.suppress(httpx.HTTPError):
        ServeApi(node).delete_applications()
    return processes.stop_tree(RAY, timeout_s=3)


def start_metrics(node: NodeSettings, processes: Processes, environment: Mapping[str, str]) -> None:
    """Start the metrics exporter if it does not run. Raises ServiceError."""
    folder = Path(environment["ENTATIVA_METRICS_DIRECTORY"])
    if processes.find(RAY) is None:
        for file in folder.glob("*.db"):
            file.unlink()  # counters of processes that are gone
    folder.mkdir(parents=True, exist_ok=True)
    if processes.find(METRICS) is None:
        require_port(node.ports.metrics_port, "the metrics exporter", "ENTATIVA_METRICS_PORT")
        command = [sys.executable, "-m", "cluster.metrics_exporter", str(node.ports.metrics_port)]
        processes.start(METRICS, command, environment=environment)
