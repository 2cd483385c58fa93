"""Starts the whole platform as `entativa up` does, beside a bare Serve no-op, and stops it again."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.platform.shared import shared
from benchmarks.size import sized
from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.local.processes import free_port, port_is_free
from cluster.node.settings import Ports

ROOT = Path(__file__).parents[2]
BARE = "bare"


@contextlib.contextmanager
def running_platform(*, measured: bool = True) -> Iterator[Installation]:
    """Both brands and the no-op (`/bare/`), each gateway with one replica per core; unless `measured`, exactly what
    serve_config.yaml says. Takes about a minute. At the smallest size all benchmarks of a run have the same one."""
    if sized(False, True):
        yield _shared_platform()
    else:
        with _own_platform(measured) as installation:
            yield installation


@functools.cache
def _shared_platform() -> Installation:
    return shared.enter_context(_own_platform(measured=True))


@contextlib.contextmanager
def _own_platform(measured: bool) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="entativa-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the accounts that Postgres and Redis run as must get in
        home, config = Path(folder) / "home", Path(folder) / "serve.yaml"
        ports = _free_ports()
        config.write_text(yaml.safe_dump(_config()) if measured else (ROOT / "serve_config.yaml").read_text())
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ENTATIVA_")},
            **{f"ENTATIVA_{name.upper()}": str(port) for name, port in ports.model_dump().items()},
            "ENTATIVA_HOME": str(home),
            "ENTATIVA_SERVER_TIMING": "true",
            # All clients share one address, and each replica counts a token against it once.
            "ENTATIVA_RATE_LIMITS__ADDRESS_PER_MINUTE": "600000",
            "ENTATIVA_RATE_LIMITS__ADDRESS_BURST": "600000",
            # Few people read and post at the rate of many.
            "ENTATIVA_RATE_LIMITS__IDENTITY_PER_MINUTE": "600000",
            "ENTATIVA_RATE_LIMITS__IDENTITY_BURST": "600000",
            "ENTATIVA_RATE_LIMITS__POSTS_PER_MINUTE": "600000",
            "ENTATIVA_RATE_LIMITS__POSTS_BURST": "600000",
            "PYTHONPATH": str(ROOT),
        }
        try:
            _command(environment, "up", "--config", str(config))
            yield Installation(sorted(BRANDS), home, ports)
        finally:
            _command(environment, "down")


def _command(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-c", "from deployments.cli import app; app()", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, timeout=240, check=True)


def _free_ports() -> Ports:
    free = (
        base
        for base in random.sample(range(12_000, 29_000, 1_000), 17)
        if all(port_is_free(base + offset) for offset in (*range(20), *range(500, 508)))
    )
    realtime, replicas = next(free), next(free)
    names = [name for name in Ports.model_fields if name not in ("realtime_port", "replica_ports_from")]
    taken: set[int] = set()
    while len(taken) < len(names):
        taken.add(free_port())
    return Ports.model_validate(
        {"realtime_port": realtime, "replica_ports_from": replicas, **dict(zip(names, taken, strict=True))}
    )


def _config() -> dict[str, Any]:
    """serve_config.yaml with a fixed number of replicas, so that nothing scales in the middle of a measurement."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    replicas = os.cpu_count() or 1
    for application in config["applications"]:
        # Applications share these through YAML's anchors, so each gets its own.
        application["deployments"] = [dict(deployment) for deployment in application["deployments"]]
        for deployment in application["deployments"]:
            if deployment.pop("autoscaling_config", None):
                deployment["num_replicas"] = replicas if application["name"] == "entativa" else 1
    nothing = {"name": "nothing", "num_replicas": replicas, "max_ongoing_requests": 64}
    nothing["ray_actor_options"] = {"num_cpus": 0.2}
    config["applications"].append(
        {
            "name": BARE,
            "route_prefix": f"/{BARE}",
            "import_path": "benchmarks.platform.bare_serve:application",
            "deployments": [nothing],
        }
    )
    return config


def cpu_seconds(installation: Installation) -> float:
    """CPU time of all the platform's processes so far."""
    total = 0.0
    seen: set[int] = set()
    for name in ("postgres", "redis", "mail", "metrics", "ray"):
        root = installation.processes.find(name)
        for process in [root, *root.children(recursive=True)] if root else []:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                if process.pid not in seen:
                    seen.add(process.pid)
                    total += times.user + times.system
    return total
