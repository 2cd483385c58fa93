"""Starts, finds and stops the local processes of one installation, and nothing else on the machine.

A process is remembered by its id and its time of creation, since an id alone may be another's by now. Each carries
``ENTATIVA_INSTANCE=<id>`` in its environment and so do its children: what is left after a stop is found by that mark.
"""

import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import psutil

MARK = "ENTATIVA_INSTANCE"


class ServiceError(Exception):
    """A local service cannot run; the message says why and how to fix it."""


def instance_id(root: Path) -> str:
    """Names the installation that lives under `root`: eight hexadecimal digits."""
    return sha256(str(root.resolve()).encode()).hexdigest()[:8]


def service_user(preferred: str) -> str | None:
    """Whom a service runs as: ourselves when we are not root, else an unprivileged account (never root)."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServiceError(f"there is no account '{preferred}' to run the service as: install its Debian package")


_LISTENING = range(29_100, 32_700)
"""Below the ports that Linux gives to outgoing connections: one of those would take a port between look and use."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    shuffled = random.SystemRandom().sample(_LISTENING, len(_LISTENING))
    return next(port for port in shuffled if port_is_free(port))


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_port(port: int, what: str, setting: str, *, patience_s: float = 5.0) -> None:
    """Raises ServiceError, with the way out, if another program has the port, and still has it after `patience_s`: of a
    server that was killed a thread may be ending, or a child that writes a file for it, with its sockets open."""
    if not _becomes_free(port, patience_s):
        raise ServiceError(
            f"port {port}, which {what} needs, is taken by another program: stop that program, "
            f"or choose another port with {setting}"
        )


def _becomes_free(port: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not (free := port_is_free(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return free


class Processes:
    """The processes of the installation under `root` (its `.local` folder)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.instance = instance_id(root)
        self._run = root / "run"
        self._logs = root / "logs"

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> int:
        """Start a process of its own session that outlives us; its output goes to `logs/<name>.log`."""
        self._run.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command lines
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {}), MARK: self.instance},
                cwd="/" if user else None,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,
            )
        (self._run / f"{name}.pid").write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}")
        return process.pid

    def find(self, name: str) -> psutil.Process | None:
        """The process started under this name, if it still runs."""
        try:
            pid, created = (self._run / f"{name}.pid").read_text().split()
            process = psutil.Process(int(pid))
            running = process.create_time() == float(created) and _runs(process)
        except (FileNotFoundError, ValueError, psutil.Error):
            return None
        return process if running else None

    def stop(self, name: str, *, signal_number: int = signal.SIGTERM, timeout_s: float = 20) -> bool:
        """Stop it and wait; returns whether it ran."""
        process = self.find(name)
        if process is not None:
            process.send_signal(signal_number)
            for left in _wait([process], timeout_s):
                left.kill()
            _wait([process], 5)
        (self._run / f"{name}.pid").unlink(missing_ok=True)
        return process is not None

    def stop_tree(self, name: str, *, timeout_s: float) -> bool:
        """Stop it and all its descendants at once; those that still run after `timeout_s` are killed."""
        process = self.find(name)
        if process is not None:
            _end([process, *process.children(recursive=True)], timeout_s)
        (self._run / f"{name}.pid").unlink(missing_ok=True)
        return process is not None

    def sweep(self, spare: Sequence[str] = ()) -> int:
        """End whatever still carries our mark, but not the processes started under the names in `spare`; returns how
        many processes that were."""
        spared = {os.getpid()} | {process.pid for name in spare if (process := self.find(name)) is not None}
        left = [process for process in psutil.process_iter() if process.pid not in spared and self._is_ours(process)]
        _end(left, timeout_s=5)
        return len(left)

    def log(self, name: str) -> str:
        """All that the processes of this name have printed."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def log_tail(self, name: str, lines: int = 8) -> str:
        """The last lines that the process printed, for an error message."""
        return "\n".join(self.log(name).splitlines()[-lines:])

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(MARK) == self.instance)
        except psutil.Error:
            return False


def _end(processes: list[psutil.Process], timeout_s: float) -> None:
    for process in processes:
        _quietly(process.terminate)
    alive = _wait(processes, timeout_s)
    for process in alive:
        _quietly(process.kill)
    _wait(alive, 5)


def _wait(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until all have ended; returns those that have not. A zombie has ended: only its parent can reap it."""
    deadline = time.monotonic() + timeout_s
    alive = processes
    while (alive := [process for process in alive if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _quietly(action: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        action()


def wait_until(ready: Callable[[], bool], *, timeout_s: float, what: str, pause_s: float = 0.05) -> None:
    """Call `ready` until it returns true. Raises ServiceError naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise ServiceError(f"{what} did not become ready within {timeout_s:.0f} s")
        time.sleep(pause_s)
