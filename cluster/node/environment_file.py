"""The environment file of a cluster, `/etc/entativa.env`: the settings of every node, the same on all of them."""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from dotenv import dotenv_values

from cluster.local.processes import ServiceError

ENVIRONMENT_FILE = Path("/etc/entativa.env")
SECRETS = ("ENTATIVA_CLUSTER_SECRET", "ENTATIVA_RAY_TOKEN")
REQUIRED = (*SECRETS, "ENTATIVA_SIGNING_KEYS", "ENTATIVA_DATABASES", "ENTATIVA_REDIS_URL", "ENTATIVA_HOME")
_SHORTEST_SECRET = 32

_TEMPLATE = """\
# Settings of every node of this cluster: copy it to {path} on each, readable by the platform's account only.
# A variable that is already set (by a systemd unit, a container) wins over this file. docs/operations.md lists all.

# Authenticates the platform's processes to each other and keys the hashes of codes. Changing it ends open sign-ups.
ENTATIVA_CLUSTER_SECRET={cluster_secret}
# What Ray's processes and its dashboard ask for.
ENTATIVA_RAY_TOKEN={ray_token}
# Sign access tokens, by brand. `entativa node rotate-keys` adds new ones.
{signing_keys}

# One database per brand; the user owns them.
ENTATIVA_DATABASES='{databases}'
# The event log, limits and caches.
ENTATIVA_REDIS_URL='{redis}'
# Where the head keeps Ray's own state, so that the cluster survives the head. Not the same Redis database as above.
ENTATIVA_RAY_STORAGE_URL='{ray_storage}'

# Where media are stored: s3://BUCKET, or a folder that all nodes share. ENTATIVA_OBJECTS_S3_ENDPOINT and
# ENTATIVA_OBJECTS_S3_REGION name the server; without ENTATIVA_OBJECTS_S3_ACCESS_KEY_ID and
# ENTATIVA_OBJECTS_S3_SECRET_ACCESS_KEY the machine's own account on AWS is used.
ENTATIVA_OBJECTS_URL=/var/lib/entativa/objects

ENTATIVA_SMTP_URL='{smtp}'
ENTATIVA_MAIL_SENDER='no-reply@{domain}'
ENTATIVA_PUBLIC_URLS='{public_urls}'
# Proxies that append to X-Forwarded-For: HAProxy of the node, and one for each that you put in front.
ENTATIVA_TRUSTED_PROXIES=1

# The node's own data: signing keys, counters, logs, process ids.
ENTATIVA_HOME=/var/lib/entativa
ENTATIVA_KEYS_DIRECTORY=/var/lib/entativa/keys
ENTATIVA_METRICS_DIRECTORY=/var/lib/entativa/metrics

# HTTP is for your load balancer; sockets come to ports from ENTATIVA_REALTIME_PORT on, ten for each brand.
ENTATIVA_HTTP_PORT=8000
ENTATIVA_REALTIME_PORT=8100
ENTATIVA_REALTIME_URL='ws://{{ip}}:{{port}}/realtime'

# Entity hosts that each brand has at least: when one dies, another has its entities at once.
ENTATIVA_ENTITY_HOSTS=2
# What an entity host asks of a node: hosts that fit nowhere make Ray's autoscaler add a node.
ENTATIVA_ENTITY_HOST_CPUS=0.5
"""


def new_environment_file(
    brands: Sequence[str],
    *,
    signing_keys: str,
    postgres: str,
    redis: str,
    ray_storage: str,
    smtp: str,
    domain: str,
) -> str:
    """The text of a new file, with new secrets. `signing_keys` is the line with the keys; `postgres` is an address
    without a database: each brand has one of its name there."""
    return _TEMPLATE.format(
        path=ENVIRONMENT_FILE,
        cluster_secret=secrets.token_urlsafe(32),
        ray_token=secrets.token_hex(32),
        databases=json.dumps({brand: f"{postgres.rstrip('/')}/{brand}" for brand in brands}),
        signing_keys=signing_keys,
        redis=redis,
        ray_storage=ray_storage,
        smtp=smtp,
        domain=domain,
        public_urls=json.dumps({brand: f"https://{domain}/{brand}" for brand in brands}),
    )


def load_environment_file(path: Path | None) -> None:
    """Put the file's variables into this process's environment; those already set win. Without a path the usual file
    is read, if it is there. Raises ServiceError if something that every node needs is missing."""
    file = path or ENVIRONMENT_FILE
    if path is not None and not file.exists():
        raise ServiceError(f"there is no {path}: make one with 'entativa node environment'")
    values = dotenv_values(file, interpolate=False) if file.exists() else {}
    for name, value in values.items():
        os.environ.setdefault(name, value or "")
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if missing:
        raise ServiceError(
            f"{', '.join(missing)} must be set, in {file} or in the environment: "
            "'entativa node environment' makes a file with all of them"
        )
    for name in SECRETS:
        if len(os.environ[name]) < _SHORTEST_SECRET:
            raise ServiceError(f"{name} must have at least {_SHORTEST_SECRET} characters")
