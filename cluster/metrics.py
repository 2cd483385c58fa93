"""The platform's own Prometheus metrics. Each module that counts something of its own defines it beside the code;
here are those of the storage layer, and how all processes of a node are exposed as one."""

import os
from pathlib import Path
from threading import Lock

import psutil
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

_directory = os.environ.get("ENTATIVA_METRICS_DIRECTORY")
if _directory:
    # prometheus_client chose its storage when Ray imported it; our metrics, which are made from here on, share files.
    # Ray's own daemons never see this variable.
    Path(_directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _directory
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]

__all__ = ["CONTENT_TYPE_LATEST", "Counter", "Gauge", "Histogram", "exposition", "remove_gauges_of_dead_processes"]

SQL_STATEMENTS = Counter("entativa_sql_statements_total", "SQL statements sent")

_CLOCK_TOLERANCE_S = 60.0
"""The start of a process is known by the time since boot, which a corrected clock leaves behind."""
_collecting = Lock()


def exposition() -> bytes:
    """All metrics of this node's processes in the Prometheus text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    with _collecting:  # the collector does not expect that its files go away
        remove_gauges_of_dead_processes(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


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
