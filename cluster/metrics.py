"""The platform's own Prometheus metrics. Each module that counts something of its own defines it beside the code;
here are those of the storage layer, and how all processes of a node are exposed as one."""

import os
from pathlib import Path

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

__all__ = ["CONTENT_TYPE_LATEST", "Counter", "Gauge", "Histogram", "exposition"]

SQL_STATEMENTS = Counter("entativa_sql_statements_total", "SQL statements sent")


def exposition() -> bytes:
    """All metrics of this node's processes in the Prometheus text format."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY)
