"""The local Ray head node with its own temporary folder and ports, and what is deployed on its Serve."""

import contextlib
import os
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

from cluster.local.installation import Installation
from cluster.local.processes import ServiceError, free_port, require_port, wait_until

NAME = "ray"

# HAProxy in front of replicas that answer HTTP themselves, and no extra thread per replica: a no-op endpoint went from
# 350 to 2,200 requests/s with these two. They must be set before Ray starts, on every node.
SERVE_ENVIRONMENT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # A replica that stops takes requests for this long, in which the proxies of all nodes learn of it (well under a
    # second each). A proxy that is later still finds the port closed and sends the request to another replica.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    # A busy small machine is slow, not broken: Serve would otherwise kill and restart a proxy that still starts.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
    "RAY_SERVE_HAPROXY_STARTUP_TIMEOUT_S": "90",
}

# Workers start when something needs them, not in advance: each takes about 100 MB.
LEAN_ENVIRONMENT = {
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    # Ray runs workers at niceness 15, for batch work; ours answer people.
    "RAY_worker_niceness": "0",
    "RAY_DEDUP_LOGS": "0",
    # Many threads, little memory: glibc would keep an arena for each.
    "MALLOC_ARENA_MAX": "2",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}

OBJECT_STORE_BYTES = 100 * 1024 * 1024

_APPLICATIONS = "/api/serve/applications/"

PORTS = (
    *("http_port", "dashboard_port", "ray_port", "ray_agent_port", "ray_metrics_port"),
    *("haproxy_metrics_port", "haproxy_stats_port", "fallback_http_port"),
)
"""The fields of Ports that the Ray node listens on."""


def ray_environment(installation: Installation) -> dict[str, str]:
    """The environment of `ray start`; all of Ray's processes and workers inherit it."""
    ports, folder = installation.ports, installation.ray_folder
    return {
        **installation.environment(),
        **SERVE_ENVIRONMENT,
        **LEAN_ENVIRONMENT,
        # Whoever reaches Ray's ports runs code on it. Left unset, a token file in the home folder would decide.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(installation.ray_token_file),
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(Path(sys.executable).with_name("entativa-haproxy")),
        # HAProxy's files, its control socket among them, would stand in one folder for all who use this machine.
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.haproxy_metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.haproxy_stats_port),
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        # Where HAProxy sends a request when it knows of no replica; another platform's, if two share this port.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback_http_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.replica_ports_from),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.replica_ports_from + 499),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(ports.replica_ports_from + 500),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(ports.replica_ports_from + 999),
    }


def start_ray(installation: Installation) -> None:
    """Start the head node if it does not run, and wait for its dashboard. Raises ServiceError."""
    if installation.processes.find(NAME) is not None:
        return
    ports = installation.ports
    for name in PORTS:
        require_port(getattr(ports, name), "Ray", f"ENTATIVA_{name.upper()}")
    _make_token(installation.ray_token_file)
    # What a former run has left, logs above all, stays until the next one.
    shutil.rmtree(installation.ray_folder, ignore_errors=True)
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--disable-usage-stats"),
        *("--node-ip-address", "127.0.0.1"),
        *("--port", str(ports.ray_port)),
        *("--dashboard-host", "127.0.0.1", "--dashboard-port", str(ports.dashboard_port)),
        *("--dashboard-agent-listen-port", str(ports.ray_agent_port)),
        *("--metrics-export-port", str(ports.ray_metrics_port)),
        *("--ray-client-server-port", str(free_port())),
        *("--object-store-memory", str(OBJECT_STORE_BYTES)),
        # It sends what workers print to a driver's terminal; there is none, and the dashboard reads the files.
        *("--include-log-monitor", "false"),
        *("--temp-dir", str(installation.ray_folder)),
    ]
    installation.processes.start(NAME, command, environment=ray_environment(installation))

    def answers() -> bool:
        if installation.processes.find(NAME) is None:
            raise ServiceError(f"Ray ended at its start:\n{installation.processes.log_tail(NAME, 20)}")
        try:
            return _ask_dashboard(installation, "GET", "/api/version", timeout_s=2).is_success
        except httpx.HTTPError:
            return False

    wait_until(answers, timeout_s=120, what="Ray", pause_s=0.2)


def stop_ray(installation: Installation) -> bool:
    """Let Serve finish the requests at hand, then stop the node and everything on it; nothing durable lives there."""
    with contextlib.suppress(httpx.HTTPError):
        _ask_dashboard(installation, "DELETE", _APPLICATIONS, timeout_s=45)
    return installation.processes.stop_tree(NAME, timeout_s=3)


def _make_token(path: Path) -> None:
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))


def _ask_dashboard(
    installation: Installation, method: str, path: str, *, timeout_s: float, json: Any = None
) -> httpx.Response:
    """A request to Ray's dashboard with the installation's token. Raises httpx.HTTPError."""
    token = installation.ray_token_file.read_text() if installation.ray_token_file.exists() else ""
    address = installation.addresses()["dashboard"]
    return httpx.request(
        method, f"{address}{path}", headers={"Authorization": f"Bearer {token}"}, json=json, timeout=timeout_s
    )


def load_config(path: Path, installation: Installation) -> dict[str, Any]:
    """serve_config.yaml with this installation's HTTP port."""
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config.setdefault("http_options", {})["port"] = installation.ports.http_port
    return config


def deploy(installation: Installation, config: dict[str, Any]) -> None:
    """Hand the applications to Serve; it changes what differs and drops no request. Raises ServiceError."""
    try:
        answer = _ask_dashboard(installation, "PUT", _APPLICATIONS, json=config, timeout_s=60)
    except httpx.HTTPError as error:
        raise ServiceError(f"Ray does not answer ({error}); its logs are in {installation.ray_folder}") from None
    if not answer.is_success:
        raise ServiceError(f"Serve refused the configuration: {answer.text[-2000:]}")


def applications(installation: Installation) -> dict[str, dict[str, Any]]:
    """What Serve says about each application: status, message, deployments."""
    answer = _ask_dashboard(installation, "GET", _APPLICATIONS, timeout_s=10)
    answer.raise_for_status()
    found: dict[str, dict[str, Any]] = answer.json()["applications"]
    return found


def wait_for_applications(installation: Installation, names: set[str], *, timeout_s: float = 240) -> None:
    """Wait until all of them run. Raises ServiceError with Serve's own words when one fails to deploy."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = applications(installation)
        except httpx.HTTPError:
            found = {}
        status = {name: found.get(name, {}).get("status", "MISSING") for name in names}
        if set(status.values()) == {"RUNNING"}:
            return
        failed = {name: found[name]["message"] for name, value in status.items() if value == "DEPLOY_FAILED"}
        if failed:
            raise ServiceError("\n".join(f"{name}: {message[-3000:]}" for name, message in failed.items()))
        if time.monotonic() > deadline:
            raise ServiceError(f"not running after {timeout_s:.0f} s: {status}")
        time.sleep(0.3)
