"""What differs between one node and another: its address, its ports, and how much of the machine Ray may use."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cluster.local.processes import instance_id


class Ports(BaseSettings):
    """The ports of one node; each can be set with ENTATIVA_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="ENTATIVA_", frozen=True, extra="ignore")

    http_port: int = 8000
    realtime_port: int = 8100
    """The first port of the node's realtime hosts: each brand has ten."""
    dashboard_port: int = 8265
    metrics_port: int = 9464
    ray_metrics_port: int = 9465
    postgres_port: int = 54320
    redis_port: int = 63790
    smtp_port: int = 10250
    ray_port: int = 63791
    ray_agent_port: int = 63792
    haproxy_metrics_port: int = 63793
    haproxy_stats_port: int = 63794
    fallback_http_port: int = 63795
    ray_agent_grpc_port: int = 63796
    ray_runtime_env_port: int = 63797
    replica_ports_from: int = 30000
    """Serve's replicas listen on ports from here on, at most 1,000."""


class NodeSettings(BaseSettings):
    """The settings of one Ray node, read from the environment (prefix ``ENTATIVA_``)."""

    model_config = SettingsConfigDict(env_prefix="ENTATIVA_", frozen=True, extra="ignore")

    home: Path = Path("/var/lib/entativa")
    """The node's own data: its Ray token, signing keys, counters, logs and process ids."""
    node_address: str = ""
    """The IP address at which other nodes reach this one; empty: Ray finds it."""
    node_cpus: float | None = Field(default=None, ge=0)
    """CPUs that Ray may give away on this node; None: all of the machine's."""
    node_memory_bytes: int | None = None
    """Memory that Ray may give away on this node; None: 70 % of what is free."""
    object_store_bytes: int = 100 * 1024 * 1024
    dashboard_host: str = "127.0.0.1"
    replica_check_interval_ms: int = Field(default=250, ge=50)
    """How often HAProxy asks each replica whether it lives. A replica whose node does not even refuse connections is
    left out after about four times that."""
    ray_token: SecretStr = SecretStr("")
    """What Ray's processes show each other; the same on every node of the cluster."""
    ray_storage_url: SecretStr | None = None
    """``redis://user:password@host:port``: where the head keeps what the cluster needs to survive its loss. None: the
    loss of the head ends the cluster."""
    ports: Ports = Field(default_factory=Ports)

    @field_validator("ray_storage_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("redis", "rediss") or not parts.hostname:
                raise ValueError("ENTATIVA_RAY_STORAGE_URL must be redis://[user:password@]host[:port] or rediss://...")
        return value

    @property
    def ray_token_file(self) -> Path:
        """What Ray's dashboard, and `ray` commands (RAY_AUTH_TOKEN_PATH), ask for."""
        return self.home / "ray_token"

    @property
    def folder(self) -> Path:
        """Ray's session and HAProxy's sockets: Unix sockets need a short path."""
        return Path("/tmp/entativa") / instance_id(self.home)  # noqa: S108

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.ports.dashboard_port}"
