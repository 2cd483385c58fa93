"""Structured logs: one JSON object a line, with the trace id of the request. No personal data goes into a log."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from cluster.trace import current_trace_id


def _add_trace(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    trace_id = current_trace_id()
    if trace_id:
        entry["trace_id"] = trace_id
    return entry


def configure_logs(level: str = "INFO", **fields: str) -> None:
    """Send structlog to standard error as JSON lines; `fields` (brand, process) go into every line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(**fields)


def _dumps(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that names its module."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return bound
