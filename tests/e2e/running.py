"""A whole platform for tests, started and stopped by the command line that its users have."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from api.routes import VERSION
from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.local.processes import MARK, port_is_free
from cluster.node.serve_api import ServeApi
from cluster.node.settings import Ports

COMMANDS = {
    "module": (sys.executable, "-m", "deployments.cli"),
    "script": (str(Path(sys.executable).with_name("entativa")),),
}

_RANGES = {"realtime_port": 100, "replica_ports_from": 1000}
"""Settings that name the first of many ports, and how many."""
_PORTS = [name for name in Ports.model_fields if name not in _RANGES]

UNLIMITED = {
    f"ENTATIVA_RATE_LIMITS__{whom}_{what}": "600000"
    for whom in ("IDENTITY", "ADDRESS", "CREDENTIALS", "POSTS")
    for what in ("PER_MINUTE", "BURST")
}
"""The tests are one address, and no person."""


def free_ports() -> dict[str, str]:
    """The settings for a block of free ports, below those that the kernel hands out for outgoing connections and above
    those that Ray's workers take."""
    size = len(_PORTS) + sum(_RANGES.values())
    starts = list(range(20_000, 30_000, size))
    random.shuffle(starts)
    for start in starts:
        if all(port_is_free(port) for port in range(start, start + size)):
            chosen = {name: start + number for number, name in enumerate(_PORTS)}
            first = start + len(_PORTS)
            for name, count in _RANGES.items():
                chosen[name], first = first, first + count
            return {f"ENTATIVA_{name.upper()}": str(port) for name, port in chosen.items()}
    raise RuntimeError("there is no block of free ports for a platform")


def until(happened: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Waits for something that must come; long, since a busy machine is no failure."""
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, f"never happened: {what if isinstance(what, str) else what()}"
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """An installation under `home`. `settings` are the variables that an operator would have set."""

    home: Path
    settings: dict[str, str]

    @property
    def installation(self) -> Installation:
        """How the platform itself sees it."""
        ports = Ports.model_validate({name: self.settings[f"ENTATIVA_{name.upper()}"] for name in Ports.model_fields})
        return Installation(sorted(BRANDS), self.home, ports)

    def address(self, brand: str) -> str:
        """Before the paths that have no version."""
        return f"{self.installation.base_url}/{brand}"

    def api(self, brand: str) -> str:
        return f"{self.address(brand)}{VERSION}"

    def command(self, *arguments: str, by: str = "module") -> "subprocess.CompletedProcess[str]":
        """Run the command line and wait; its output is text, whatever its exit code."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ENTATIVA_", "RAY_"))}
        return subprocess.run(
            [*COMMANDS[by], *arguments],
            env={**environment, **self.settings, "ENTATIVA_HOME": str(self.home), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def succeed(self, *arguments: str, by: str = "module") -> str:
        """Run the command line, which must succeed; returns what it wrote to its output."""
        done = self.command(*arguments, by=by)
        assert done.returncode == 0, f"entativa {' '.join(arguments)}\n{done.stdout}{done.stderr}\n{self._logs()}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What `entativa status` says once every brand answers."""
        said: list[str] = []

        def all_answer() -> bool:
            done = self.command("status", "--json")
            said.append(done.stdout)
            return done.returncode == 0

        until(all_answer, "every brand answers")
        addresses: dict[str, Any] = json.loads(said[-1])
        return addresses

    def applications(self) -> dict[str, dict[str, Any]]:
        """What Serve says about each application, once it answers."""
        said: list[dict[str, dict[str, Any]]] = []

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                said.append(ServeApi(self.installation.node).applications())
            return bool(said)

        until(answers, "Ray's dashboard answers")
        return said[-1]

    def replicas(self, application: str) -> dict[str, int]:
        """The process id of each replica that runs now."""
        deployments = self.applications()[application]["deployments"].values()
        running = [
            replica for deployment in deployments for replica in deployment["replicas"] if replica["state"] == "RUNNING"
        ]
        return {replica["replica_id"]: replica["pid"] for replica in running}

    def processes(self) -> list[psutil.Process]:
        """Every process on the machine that carries the installation's mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get(MARK) == self.installation.processes.instance
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def _logs(self) -> str:
        """What helps to find out why a command failed, since the home goes with the test run."""
        tails = [f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in self.home.glob("logs/*.log")]
        return "\n".join(tails)


@contextmanager
def new_home(settings: dict[str, str] | None = None) -> Iterator[RunningPlatform]:
    """A home where nothing runs yet; whatever runs there at the end is stopped, and the home removed."""
    # Not in a folder of pytest's: those are private, and the accounts that the servers run as must pass through.
    home = Path(tempfile.mkdtemp(prefix="entativa-e2e-"))
    home.chmod(0o755)
    platform = RunningPlatform(home, {**free_ports(), **UNLIMITED, **(settings or {})})
    try:
        yield platform
    finally:
        platform.command("down")
        shutil.rmtree(platform.installation.node.folder, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
