"""What a killed process held is not told to Prometheus for ever; what it counted is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from cluster.metrics import node_registry, remove_gauges_of_dead_processes

_PROCESS = """
import sys
from cluster.metrics import Counter, Gauge
sockets = Gauge("test_sockets", "Open sockets", multiprocess_mode="livesum")
entities = Gauge("test_entities", "Entities in memory", ["host"])
calls = Counter("test_calls_total", "Calls")
sockets.set(7); entities.labels(sys.argv[1]).set(5); calls.inc(3)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def _process(directory: Path, host: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "ENTATIVA_METRICS_DIRECTORY": str(directory)}
    with subprocess.Popen(
        [sys.executable, "-c", _PROCESS, host],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_gauges_of_a_killed_process_disappear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with _process(tmp_path, "host-0") as doomed, _process(tmp_path, "host-1"):
        before = generate_latest(node_registry()).decode()
        assert "test_sockets 14.0" in before
        assert 'host="host-0"' in before
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        after = generate_latest(node_registry()).decode()
        assert "test_sockets 7.0" in after
        assert 'host="host-0"' not in after
        assert 'host="host-1"' in after
        assert "test_calls_total 6.0" in after


def test_a_process_id_that_another_process_has_now_is_no_sign_of_life(tmp_path: Path) -> None:
    mine, older = tmp_path / f"gauge_all_{os.getpid()}.db", tmp_path / f"gauge_livesum_{os.getpid()}.db"
    for file in (mine, older):
        file.touch()
    os.utime(older, (1, 1))  # made long before this process began
    assert remove_gauges_of_dead_processes(tmp_path) == 1
    assert mine.exists()
    assert not older.exists()
