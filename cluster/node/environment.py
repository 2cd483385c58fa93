"""The environment of `ray start`, which all of Ray's processes, replicas and actors of a node inherit.

It must be the same on every node, and set before Ray starts.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from cluster.node.settings import NodeSettings

SERVE = {
    # HAProxy in front of replicas that answer HTTP themselves, and no extra thread per replica: a no-op endpoint went
    # from 350 to 2,200 requests/s with these two.
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # A replica that stops takes requests for this long, in which the proxies of all nodes learn of it (well under a
    # second each). A proxy that is later still finds the port closed and sends the request to another replica.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    # A busy small machine is slow, not broken: Serve would otherwise kill and restart a proxy that still starts.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
    "RAY_SERVE_HAPROXY_STARTUP_TIMEOUT_S": "90",
    # A dead proxy is replaced after three checks, each of which takes two looks of the controller (see below).
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.2",
    # Replayed on another replica: requests that no replica got, and (see haproxy.py) reads that none answered.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    # The controller would look ten times a second at what should run, and every process as often at its own counters,
    # which costs an idle platform a tenth of its CPU time.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.25",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "10000",
    # HAProxy would tell its manager of each request, which parses that in Python: 6 to 9 % of what a no-op costs.
    # Gateways count requests themselves.
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
}

RAY = {
    # Workers start when something needs them, not in advance: each takes about 100 MB.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    # Ray runs workers at niceness 15, for batch work; ours answer people.
    "RAY_worker_niceness": "0",
    # Titles would be written over the environment, by which a node's processes are known.
    "SPT_NOENV": "1",
    "RAY_DEDUP_LOGS": "0",
    # Many threads, little memory: glibc would keep an arena for each.
    "MALLOC_ARENA_MAX": "2",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    # No clock around every handler of every process (only Ray's own debug logs show the outcome), and no history of
    # tasks, of which actors and replicas run for ever: the state API lists actors and nodes, but no tasks.
    "RAY_event_stats": "0",
    "RAY_task_events_report_interval_ms": "0",
    # Ray's metrics and what the dashboard shows of nodes and workers are up to half a minute or a minute old.
    "RAY_metrics_report_interval_ms": "30000",
    "REPORTER_UPDATE_INTERVAL_MS": "30000",
    "METRICS_RECORD_INTERVAL_S": "30",
    "NODE_STATS_UPDATE_INTERVAL_SECONDS": "60",
    "SCAN_EVENT_DIR_INTERVAL_SECONDS": "30",
    # A node that does not answer is given up after 5 s instead of 15.
    "RAY_health_check_period_ms": "1000",
    # How long nodes live without the head; Ray's own minute is less than a machine needs to start.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
}


def ray_environment(node: NodeSettings) -> dict[str, str]:
    """The variables for Ray and Serve on this node; the platform's own settings (``ENTATIVA_``) come on top."""
    ports, folder = node.ports, node.folder
    return {
        **SERVE,
        **RAY,
        # Whoever reaches Ray's ports runs code on it. Left unset, a token file in the home folder would decide.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(node.ray_token_file),
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(Path(sys.executable).with_name("entativa-haproxy")),
        # HAProxy's files, its control socket among them, would be in one folder for all who use this machine.
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": f"{node.replica_check_interval_ms}ms",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_FASTINTER": f"{min(node.replica_check_interval_ms, 100)}ms",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.haproxy_metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.haproxy_stats_port),
        # Where HAProxy sends a request when it knows of no replica; another platform's, if two share this port.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback_http_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.replica_ports_from),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.replica_ports_from + 499),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(ports.replica_ports_from + 500),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(ports.replica_ports_from + 999),
        **_storage(node),
    }


def _storage(node: NodeSettings) -> dict[str, str]:
    """Where the head's Redis is; only its port and scheme are not a secret (see `ray_command`)."""
    if node.ray_storage_url is None:
        return {}
    parts = urlsplit(node.ray_storage_url.get_secret_value())
    address = f"{parts.hostname}:{parts.port or 6379}"
    return {
        "RAY_REDIS_ADDRESS": f"rediss://{address}" if parts.scheme == "rediss" else address,
        "RAY_external_storage_namespace": "entativa-ray",
    }
