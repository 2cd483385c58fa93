"""Machines of a cluster as network namespaces of this machine: what a cluster is tried on, and broken.

Each has an address on one network, and folders of its own where a real machine has a disk. Needs root and iproute2.
"""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cluster.local.processes import ServiceError

_ENTER = 'mount --make-rprivate / && mkdir -p /tmp/entativa && mount --bind "$0" /tmp/entativa && exec bash -c "$1"'
"""Gives a command the machine's own /tmp/entativa, where Ray and HAProxy have their sockets."""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)  # noqa: S603, S607


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine. `name` is its network namespace and its link."""

    name: str
    address: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for every command, on top of those of this process that are neither Ray's nor the platform's."""

    @property
    def state(self) -> Path:
        """The machine's ENTATIVA_HOME."""
        return self.folder / "state"

    @property
    def home(self) -> Path:
        """The home folder of who logs in."""
        return self.folder / "home"

    def run(self, command: str, *, timeout_s: float = 240) -> str:
        """Run a shell command as if on this machine; returns its output. Raises ServiceError if it fails."""
        private = self.folder / "tmp"
        private.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ENTATIVA_", "RAY_"))}
        done = subprocess.run(  # noqa: S603
            ["ip", "netns", "exec", self.name, "unshare", "-m", "bash", "-c", _ENTER, str(private), command],  # noqa: S607
            env={
                **inherited,
                "HOME": str(self.home),
                "ENTATIVA_HOME": str(self.state),
                "ENTATIVA_NODE_ADDRESS": self.address,
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceError(f"{self.name}: {command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def processes(self, title: str = "") -> list[psutil.Process]:
        """The machine's processes whose command line holds `title`."""
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)  # noqa: S603, S607
        found = []
        for pid in listed.stdout.split():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(int(pid))
                if title in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def connect(self) -> None:
        """Plug the machine's network in."""
        _ip("link", "set", self.name, "up")

    def disconnect(self) -> None:
        """Pull the machine's network out: nothing that it sends arrives, and nobody is told."""
        _ip("link", "set", self.name, "down")

    def lose_power(self) -> None:
        """Everything on it ends at once, and its peers hear nothing of it."""
        self.disconnect()
        for _ in range(2):
            family = self.processes()
            for action in (psutil.Process.suspend, psutil.Process.kill):
                for process in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        action(process)


def _free_prefix() -> str:
    """The first three numbers of a network that nobody has here: a run that was killed leaves its own behind."""
    taken = subprocess.run(["ip", "-o", "addr"], check=True, capture_output=True, text=True).stdout  # noqa: S607
    while f" {(prefix := f'10.{231 + secrets.randbelow(20)}.{secrets.randbelow(256)}')}." in taken:
        continue
    return prefix


@contextlib.contextmanager
def network(names: list[str], folder: Path) -> Iterator[tuple[str, list[Machine]]]:
    """A machine per name on one network. Yields the address of this machine there, and the machines."""
    tag = secrets.token_hex(2)
    prefix = _free_prefix()
    bridge = f"ent{tag}"
    made: list[Machine] = []
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{prefix}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for number, name in enumerate(names, start=2):
            machine = Machine(f"{name}-{tag}", f"{prefix}.{number}", folder / name)
            _ip("netns", "add", machine.name)
            made.append(machine)
            _ip("link", "add", machine.name, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
            _ip("link", "set", machine.name, "master", bridge, "up")
            _ip("-n", machine.name, "addr", "add", f"{machine.address}/24", "dev", "eth0")
            _ip("-n", machine.name, "link", "set", "eth0", "up")
            _ip("-n", machine.name, "link", "set", "lo", "up")
        yield f"{prefix}.1", made
    finally:
        for machine in made:
            for process in machine.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            subprocess.run(["ip", "netns", "del", machine.name], check=False, capture_output=True)  # noqa: S603, S607
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)  # noqa: S603, S607
