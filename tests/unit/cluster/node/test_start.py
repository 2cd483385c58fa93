"""How a node's Ray is started on a machine that is too busy for Ray's own limit of 30 s."""

import sys
from pathlib import Path

import psutil
import pytest

from cluster.local.processes import Processes, ServiceError
from cluster.node import run
from cluster.node.serve_api import ServeApi
from cluster.node.settings import NodeSettings

_RAY = """
import pathlib, subprocess, sys, time
starts = pathlib.Path(sys.argv[1])
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
number = len(starts.read_text())
if number < int(sys.argv[2]):
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path(f"{starts}-{number}").write_text(str(left.pid))
    sys.exit("Exception: " + sys.argv[3])
print("Ray runtime started.", flush=True)
time.sleep(60)
"""
"""Starts a process, and fails until it has been started often enough."""

_SLOW = "The current node timed out during startup. This could happen because"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeSettings:
    monkeypatch.setenv("ENTATIVA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(run, "WORKER_PORTS", ())
    monkeypatch.setattr(run, "HEAD_PORTS", ())
    return NodeSettings()


def _start(
    node: NodeSettings,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    *,
    succeeds: int,
    fault: str,
    head: bool = False,
) -> None:
    starts = processes.root / "starts"
    command = [sys.executable, "-c", _RAY, str(starts), str(succeeds), fault]
    monkeypatch.setattr(run, "head_command" if head else "worker_command", lambda *_, **__: command)
    processes.start(run.METRICS, [sys.executable, "-c", "import time; time.sleep(60)"])
    if head:
        run.start_head(node, processes, {})
    else:
        run.start_worker(node, processes, {}, "127.0.0.1")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_node_that_joined_too_late_is_started_again(
    node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = Processes(tmp_path)
    try:
        _start(node, processes, monkeypatch, succeeds=3, fault=_SLOW)
        assert processes.find(run.RAY) is not None
        assert processes.find(run.METRICS) is not None, "the metrics exporter was swept away with what Ray had left"
        for number in (1, 2):
            assert not _runs(int((tmp_path / f"starts-{number}").read_text()))
    finally:
        processes.sweep()


def test_a_head_whose_dashboard_answers_though_it_joined_too_late_is_started_again(
    node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = Processes(tmp_path)
    # As Ray's does from some seconds after its start on, whatever becomes of the node.
    monkeypatch.setattr(ServeApi, "answers", lambda _: True)
    try:
        _start(node, processes, monkeypatch, succeeds=2, fault=_SLOW, head=True)
        assert len((tmp_path / "starts").read_text()) == 2
        assert processes.find(run.RAY) is not None
        assert "Ray runtime started" in processes.log(run.RAY)
    finally:
        processes.sweep()


def test_after_three_starts_it_is_given_up(node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(tmp_path)
    try:
        with pytest.raises(ServiceError, match="timed out during startup"):
            _start(node, processes, monkeypatch, succeeds=9, fault=_SLOW)
        assert len((tmp_path / "starts").read_text()) == 3
    finally:
        processes.sweep()


def test_another_fault_is_told_at_once(node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(tmp_path)
    try:
        with pytest.raises(ServiceError, match="no such option"):
            _start(node, processes, monkeypatch, succeeds=9, fault="no such option")
        assert len((tmp_path / "starts").read_text()) == 1
    finally:
        processes.sweep()
