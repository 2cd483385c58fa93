"""Typed settings, read once from the environment (prefix ``ENTATIVA_``) or from a file named by ``ENTATIVA_ENV_FILE``.

Secrets are only ever read from there; `entativa up` writes such a file under `.local/` for the servers it starts.
Every Ray worker inherits the environment of `ray start`, so replicas and actors see the same values.
"""

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class RateLimits(BaseSettings):
    """Requests a minute and the burst above that pace, per identity and per network address."""

    model_config = SettingsConfigDict(frozen=True)

    identity_per_minute: int = 1200
    identity_burst: int = 200
    address_per_minute: int = 600
    address_burst: int = 200
    files_per_minute: int = 6000
    """For public files (avatars, media of public posts), per address: a page of a feed shows a hundred of them."""
    files_burst: int = 1000
    credentials_per_minute: int = 20
    """For requests that test a secret (log-in, codes), per address."""
    credentials_burst: int = 20
    refreshes_per_minute: int = 2
    """For exchanging refresh tokens, per session; each leaves a row until the token expires."""
    refreshes_burst: int = 20
    posts_per_minute: int = 30
    """For publishing and editing posts, which every reader's feed pays for, per account."""
    posts_burst: int = 30


class Settings(BaseSettings):
    """Everything that differs between one installation and another."""

    model_config = SettingsConfigDict(env_prefix="ENTATIVA_", env_nested_delimiter="__", extra="ignore", frozen=True)

    databases: dict[str, SecretStr] = Field(default_factory=dict)
    """Postgres address per brand, as JSON: ``{"entativa": "postgresql://...", "vignette": "..."}``."""
    database_pool_size: int = 8
    """Connections each replica keeps to its brand's database."""
    database_disk_bytes: int = 0
    """How much of their server's disk the databases may take, the write-ahead log aside; an alarm is raised at three
    quarters of it. 0: not known, and an alarm is raised for unfinished events only."""

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")

    smtp_url: SecretStr = SecretStr("smtp://127.0.0.1:1025")
    """``smtp://user:password@host:port`` or ``smtps://...``. `make run` points it to the local mail sink."""
    mail_sender: str = "no-reply@localhost"

    keys_directory: Path = Path(".local/keys")
    """One folder per brand with the private keys that sign access tokens (Ed25519, PEM)."""
    cluster_secret: SecretStr = SecretStr("")
    """Authenticates the platform's own processes to each other and keys the hashes of low-entropy values."""

    objects_url: str = ".local/objects"
    """Where media are stored: a folder that every node reaches under this path, or ``s3://BUCKET[/PREFIX]``."""
    objects_s3_endpoint: str = ""
    """The address of the S3 server; empty: AWS."""
    objects_s3_region: str = "us-east-1"
    objects_s3_access_key_id: str = ""
    """Empty: the credentials that AWS gives the machine or the container."""
    objects_s3_secret_access_key: SecretStr = SecretStr("")

    videos_directory: Path | None = None
    """Where a node keeps copies of the videos that it transcodes, for a minute after their last use; None: in the
    folder for temporary files."""

    transcriber_url: str = ""
    """Where speech becomes text (features/videos/http_transcriber.py); empty: videos get no captions by themselves."""
    transcriber_token: SecretStr = SecretStr("")

    hash_list_url: str = ""
    """A file or an http(s) address with the hashes of pictures that nobody may publish (features/media/hash_list.py);
    empty: pictures are not compared."""
    hash_list_token: SecretStr = SecretStr("")

    public_urls: dict[str, str] = Field(default_factory=dict)
    """The address under which clients reach each brand; it is the ``iss`` of access tokens."""
    cors_origins: tuple[str, ...] = ()
    """Origins of web pages that may use the API, as JSON: ``["https://app.example"]``; ``["*"]``: all."""
    trusted_proxies: int = 1
    """How many proxies in front of us append to X-Forwarded-For (Serve's own HAProxy is one)."""

    realtime_listen: str = "0.0.0.0"  # noqa: S104 - clients come from everywhere
    """Where a node's realtime hosts listen for sockets."""
    realtime_port: int = 0
    """The first port of a node's realtime hosts: each brand has ten. 0: any free port."""
    realtime_url: str = "ws://{ip}:{port}/realtime"
    """What clients are told; in production the address of what terminates TLS in front of the hosts."""

    entity_hosts: int = Field(default=1, ge=1, le=16)
    """Entity hosts that each brand has at least. With two, the other has a dead one's shards at once."""
    entity_hosts_max: int = Field(default=16, ge=1)
    """Entity hosts that each brand has at most, however high its load; never fewer than ``entity_hosts``."""
    entity_lease_s: float = Field(default=2.0, ge=0.5, le=4)
    """Seconds for which an entity host acts after its last heartbeat: how long the entities of a lost node have no
    host. A host that stalls for longer loses what it has in memory."""
    entity_host_cpus: float = 0.2
    """CPUs that an entity host reserves; one that fits on no node makes Ray's autoscaler add a node."""

    metrics_directory: Path | None = None
    """Where the processes of this node share their Prometheus counters; none: each process keeps its own."""
    log_level: str = "INFO"

    server_timing: bool = False
    """Answer with a Server-Timing header that tells the number of SQL statements: for tests and benchmarks, since the
    number can give away what an answer hides."""

    max_body_bytes: int = 1024 * 1024
    rate_limits: RateLimits = RateLimits()


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process; the environment wins over the file. Raises ValueError without a cluster secret,
    which would let anybody in."""
    settings = Settings(_env_file=os.environ.get("ENTATIVA_ENV_FILE"))
    if not settings.cluster_secret.get_secret_value():
        raise ValueError("ENTATIVA_CLUSTER_SECRET is empty: 'entativa node environment' makes one")
    return settings
