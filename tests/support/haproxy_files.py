"""The configuration that the installed Serve writes for HAProxy."""

from __future__ import annotations

from pathlib import Path

from ray.serve._private.common import RequestProtocol
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions


def written_by_serve(
    folder: Path,
    *applications: str,
    ports: tuple[int, int, int] = (8000, 9101, 8404),
    replicas: tuple[int, ...] = (30000,),
) -> Path:
    """The file for these applications, each with these replicas; `ports` are for clients, metrics and statistics."""
    file = folder / "haproxy.cfg"
    config = HAProxyConfig(
        http_options=HTTPOptions(host="127.0.0.1", port=ports[0]),
        metrics_port=ports[1],
        stats_port=ports[2],
        socket_path=str(folder / "admin.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "state"),
        metrics_socket_path=str(folder / "metrics.sock"),
        metrics_enabled=False,
        nbthread=1,
    )
    backends = {f"http-{name}": _backend(name, replicas) for name in applications}
    api = HAProxyApi(config, backends, config_file_path=str(file))
    api.set_backend_configs(backends)
    api._generate_config_file_internal()
    return file


def _backend(name: str, replicas: tuple[int, ...]) -> BackendConfig:
    return BackendConfig(
        name=f"http-{name}",
        path_prefix=f"/{name}",
        servers=[ServerConfig(name=f"replica{port}", host="127.0.0.1", port=port) for port in replicas],
        app_name=name,
        ingress_deployment_name="gateway",
        protocol=RequestProtocol.HTTP,
    )
