"""The platform's own Prometheus metrics. Each module that counts something of its own defines it beside the code;
here are those of the storage layer, and how all processes of a node are exposed as one."""

import os
from pathlib import Path

# prometheus_client chooses its storage when it is first imported, so the folder must be known before.
_directory = os.environ.get("ENTATIVA_METRICS_DIRECTORY")
if _directory and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    Path(_directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _directory

from prometheus_client import (  # noqa: E402
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

__all__ = ["CONTENT_TYPE_LATEST", "Counter", "Gauge", "Histogram", "exposition"]

SQL_STATEMENTS = Counter("entativa_sql_statements_total", "SQL statements sent")


def exposition() -> bytes:
    """All metrics of this node's processes in the Prometheus text format."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY)
