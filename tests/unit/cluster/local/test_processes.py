"""Local processes: found, stopped, and never mistaken for somebody else's."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from cluster.local.processes import Processes, ServiceError, require_port, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path / ".local")


def test_a_started_process_is_found_and_stopped(processes: Processes) -> None:
    pid = processes.start("sleeper", SLEEP)
    found = processes.find("sleeper")
    assert found is not None
    assert found.pid == pid
    assert processes.stop("sleeper")
    assert processes.find("sleeper") is None
    assert not processes.stop("sleeper")


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(processes: Processes, tmp_path: Path) -> None:
    processes.start("sleeper", SLEEP)
    stranger = subprocess.Popen(SLEEP)
    try:
        (tmp_path / ".local" / "run" / "sleeper.pid").write_text(f"{stranger.pid} 1.0")
        assert processes.find("sleeper") is None
        processes.stop("sleeper")
        assert psutil.pid_exists(stranger.pid)
    finally:
        stranger.kill()
        processes.sweep()


def test_a_sweep_ends_what_carries_the_mark_and_nothing_else(processes: Processes, tmp_path: Path) -> None:
    other = Processes(tmp_path / "other")
    other.start("theirs", SLEEP)
    parent = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).wait()"
    processes.start("ours", [sys.executable, "-c", parent])
    ours = processes.find("ours")
    assert ours is not None
    wait_until(lambda: bool(ours.children()), timeout_s=20, what="the child")
    assert processes.sweep() == 2
    assert other.find("theirs") is not None
    assert other.sweep() == 1


def test_what_does_not_become_ready_is_named() -> None:
    with pytest.raises(ServiceError, match="the moon"):
        wait_until(lambda: False, timeout_s=0.05, what="the moon")


def test_a_port_that_a_killed_server_leaves_late_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ServiceError, match="choose another port with THE_PORT"):
            require_port(port, "Redis", "THE_PORT", patience_s=0)
        closing = threading.Timer(0.2, server.close)
        closing.start()
        require_port(port, "Redis", "THE_PORT", patience_s=60)
        closing.join()
