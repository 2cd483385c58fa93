"""One local installation: where it lives, its ports and secrets, and the environment that its processes get.

Everything is under `.local/` (or ENTATIVA_HOME). Addresses that the operator configures replace the private servers.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field

from cluster.local.processes import Processes
from cluster.local.services import PostgresServer, RedisServer
from cluster.node.settings import NodeSettings, Ports


class Secrets(BaseModel):
    """Made once per installation, kept in `.local/secrets.json` (readable by its owner only)."""

    postgres_password: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    redis_password: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    cluster_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(32))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read them, or make them."""
        if path.exists():
            return cls.model_validate_json(path.read_bytes())
        made = cls()
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made.model_dump_json())
        return made


class Installation:
    """What `entativa up` starts and `entativa down` stops."""

    def __init__(self, brands: list[str], home: Path | None = None, ports: Ports | None = None) -> None:
        self.home = (home or Path(os.environ.get("ENTATIVA_HOME", ".local"))).resolve()
        self.brands = brands
        self.ports = ports or Ports()
        self.processes = Processes(self.home)
        self.secrets = Secrets.load(self.home / "secrets.json")
        configured = {name: value for name, value in os.environ.items() if name.startswith("ENTATIVA_")}
        self.private_postgres = "ENTATIVA_DATABASES" not in configured
        self.private_redis = "ENTATIVA_REDIS_URL" not in configured
        self.private_mail = "ENTATIVA_SMTP_URL" not in configured
        self.postgres = PostgresServer(self.processes, self.ports.postgres_port, self.secrets.postgres_password)
        self.redis = RedisServer(self.processes, self.ports.redis_port, self.secrets.redis_password)
        self.mail_folder = self.home / "mail"
        self.metrics_folder = self.home / "metrics"
        self.node = NodeSettings(
            home=self.home,
            ports=self.ports,
            node_address="127.0.0.1",
            # A dead replica on the same machine refuses connections; one that stops, and says so when asked, takes
            # requests for five more seconds.
            replica_check_interval_ms=2000,
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.http_port}"

    def databases(self) -> dict[str, str]:
        """The database address per brand."""
        if self.private_postgres:
            return {brand: self.postgres.address(brand) for brand in self.brands}
        databases: dict[str, str] = json.loads(os.environ["ENTATIVA_DATABASES"])
        return databases

    def environment(self) -> dict[str, str]:
        """What every process of the platform gets; the operator's own ENTATIVA_ variables win."""
        http = self.ports.http_port
        values = {
            "ENTATIVA_DATABASES": json.dumps(self.databases()),
            "ENTATIVA_REDIS_URL": self.redis.address(),
            "ENTATIVA_SMTP_URL": f"smtp://127.0.0.1:{self.ports.smtp_port}",
            "ENTATIVA_KEYS_DIRECTORY": str(self.home / "keys"),
            "ENTATIVA_OBJECTS_URL": str(self.home / "objects"),
            "ENTATIVA_CLUSTER_SECRET": self.secrets.cluster_secret,
            # More than there are cores have nothing to gain, and would take the place of a gateway that has died.
            "ENTATIVA_ENTITY_HOSTS_MAX": str(max(1, (os.cpu_count() or 1) // len(self.brands))),
            "ENTATIVA_REALTIME_LISTEN": "127.0.0.1",
            "ENTATIVA_REALTIME_PORT": str(self.ports.realtime_port),
            "ENTATIVA_REALTIME_URL": "ws://127.0.0.1:{port}/realtime",
            "ENTATIVA_METRICS_DIRECTORY": str(self.metrics_folder),
            "ENTATIVA_PUBLIC_URLS": json.dumps({brand: f"http://127.0.0.1:{http}/{brand}" for brand in self.brands}),
        }
        values |= {name: os.environ[name] for name in values if name in os.environ}
        return values

    def addresses(self) -> dict[str, Any]:
        """Where everything answers, as `entativa status --json` prints it."""
        found: dict[str, Any] = {
            brand: {
                "api": f"{self.base_url}/{brand}",
                "openapi": f"{self.base_url}/{brand}/openapi.json",
                "docs": f"{self.base_url}/{brand}/docs",
            }
            for brand in self.brands
        }
        found["dashboard"] = self.node.dashboard
        found["metrics"] = f"http://127.0.0.1:{self.ports.metrics_port}/metrics"
        return found
