"""Prometheus metrics. Each module defines its own metrics beside the code; here are those of the storage layer, and the
registry that combines all processes of a node."""

import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import psutil
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_directory = os.environ.get("ENTATIVA_METRICS_DIRECTORY")
if _directory:
    # prometheus_client chose its storage when Ray imported it; our metrics, which are made from here on, share files.
    # Ray's own daemons never see this variable.
    Path(_directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _directory
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]

__all__ = ["Counter", "Gauge", "Histogram", "node_registry", "remove_gauges_of_dead_processes"]

SQL_STATEMENTS = Counter("entativa_sql_statements_total", "SQL statements sent")

_CLOCK_TOLERANCE_S = 60.0
"""The start of a process is known by the time since boot, which a corrected clock leaves behind."""


class _NodeCollector(Collector):
    """Collects the metrics that the processes of a node have written to a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._collector = MultiProcessCollector(None, str(directory))  # type: ignore[no-untyped-call]
        self._lock = Lock()

    def collect(self) -> Iterable[Metric]:
        with self._lock:  # the collector does not expect files to disappear
            remove_gauges_of_dead_processes(self._directory)
            metrics: list[Metric] = list(self._collector.collect())  # type: ignore[no-untyped-call]
        return metrics


def node_registry() -> CollectorRegistry:
    """Returns a registry with the metrics of all processes of this node; of this process alone where they share no
    directory."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory is None:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(_NodeCollector(Path(directory)))
    return registry


def remove_gauges_of_dead_processes(directory: Path) -> int:
    """Deletes the gauge files of processes that have ended. Returns how many.

    A gauge tells what a process holds now; a process that was killed holds nothing. Counters and histograms stay:
    their sums must not go back.
    """
    removed = 0
    for file in directory.glob("gauge_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not _owner_is_alive(int(pid), file):
            file.unlink(missing_ok=True)
            removed += 1
    return removed


def _owner_is_alive(pid: int, file: Path) -> bool:
    """Whether the process that made the file still runs; the system gives a process id to others later."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.create_time() <= file.stat().st_mtime + _CLOCK_TOLERANCE_S
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True
