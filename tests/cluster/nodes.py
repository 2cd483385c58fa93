"""Ray nodes on this machine, each a process group of its own that can be killed like a machine that loses power."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cluster.local.processes import free_port

ROOT = Path(__file__).parents[2]
_SMALL = {
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
    # A token in the home folder of whoever runs this would be taken by some processes and not by others.
    "RAY_AUTH_MODE": "disabled",
    "RAY_raylet_start_wait_time_s": "60",
    "RAY_gcs_server_request_timeout_seconds": "120",
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_raylet_client_num_connect_attempts": "100",
    "RAY_metrics_report_interval_ms": "60000",
    # A lost node is given up after 10 s instead of 15: tests that lose one wait until Ray has replaced what ran there.
    # With 5 s, busy machines lose nodes that live.
    "RAY_health_check_period_ms": "2000",
    "MALLOC_ARENA_MAX": "2",
    # Set, it makes every process compile anew all that it imports.
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPATH": str(ROOT),
}
_MARK = "ENTATIVA_TEST_NODE"
_STORE_BYTES = 80 * 1024 * 1024


@dataclass
class RayNode:
    """One started node. Its processes carry ``mark`` in their environment."""

    process: subprocess.Popen[bytes]
    mark: str

    def kill(self) -> None:
        """SIGKILL to everything on the node at once: nothing says goodbye."""
        for _ in range(2):
            family = self.family()
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.suspend()
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        self.process.wait()

    def family(self) -> list[psutil.Process]:
        """The node's processes: descendants of `ray start`, and those that lost their parent."""
        found: dict[int, psutil.Process] = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            found = {member.pid: member for member in (parent, *parent.children(recursive=True))}
        for candidate in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if candidate.environ().get(_MARK) == self.mark:
                    found[candidate.pid] = candidate
        return list(found.values())


@dataclass
class RayNodes:
    """A cluster of nodes under one temporary folder."""

    environment: Mapping[str, str] = field(default_factory=dict)
    ip: str = "127.0.0.1"
    """The head's address."""
    port: int = field(default_factory=free_port)
    nodes: list[RayNode] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="rn", dir="/tmp")))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def address(self) -> str:
        """For ray.init."""
        return f"{self.ip}:{self.port}"

    def start(
        self, *, cpus: float = 4, options: Sequence[str] = (), prefix: Sequence[str] = (), attempts: int = 4
    ) -> RayNode:
        """Starts a node (the first one is the head) and waits until it is up. ``prefix`` runs before `ray start`.

        A raylet gives its agents 15 s to start and ends otherwise: on a busy machine that may take ``attempts``.
        """
        for attempt in range(1, attempts + 1):
            node, log = self._launch(cpus, options, prefix)
            if self._came_up(node, log):
                self.nodes.append(node)
                return node
            node.kill()
            if attempt == attempts:
                raise RuntimeError(f"a node did not start:\n{log.read_text()[-3000:]}")
        raise ValueError("no attempts")

    def _launch(self, cpus: float, options: Sequence[str], prefix: Sequence[str]) -> tuple[RayNode, Path]:
        role = ["--head", "--port", str(self.port)] if not self.nodes else ["--address", self.address]
        if not self.nodes:
            role += ["--include-dashboard", "false", "--dashboard-port", str(free_port())]
            role += ["--ray-client-server-port", str(free_port()), "--temp-dir", str(self.folder)]
            if "--autoscaling-config" not in options:
                role.append("--no-monitor")
        command = [
            *prefix,
            *(str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats", *role),
            *("--num-cpus", str(cpus), "--object-store-memory", str(_STORE_BYTES), *options),
            *("--include-log-monitor", "false"),
            # Any free port: nodes that take them from one range on one machine take each other's.
            *("--min-worker-port", "0", "--max-worker-port", "0"),
            *("--dashboard-agent-listen-port", str(free_port()), "--dashboard-agent-grpc-port", str(free_port())),
            *("--runtime-env-agent-port", str(free_port()), "--metrics-export-port", str(free_port())),
        ]
        if "--node-ip-address" not in options:
            command += ["--node-ip-address", self.ip]
        number = next(self._numbers)
        mark = f"{self.folder.name}-{number}"
        path = self.folder / f"node-{number}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_SMALL, **self.environment, _MARK: mark},
                start_new_session=True,
            )
        return RayNode(process, mark), path

    @staticmethod
    def _came_up(node: RayNode, log: Path) -> bool:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and node.process.poll() is None:
            if b"Ray runtime started" in log.read_bytes():
                return True
            time.sleep(0.1)
        return False

    def stop(self) -> None:
        """Ends all nodes and removes their folder."""
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
