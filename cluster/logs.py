"""Structured logs: one JSON object a line, with the trace id of the request. No personal data goes into a log."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from cluster.trace import current_trace_id

Entry = MutableMapping[str, Any]

_DETAIL = re.compile(
    r"\nDETAIL:  .*?(?=\nHINT:  |\n\nThe above exception was|\n\nDuring handling of the above|\Z)", re.DOTALL
)
"""A value may have several lines: everything goes until the next part of the trace begins."""

_QUOTED_INPUT = re.compile(r"(invalid input for query argument \$\d+|input_value=|'input':).*")
"""What asyncpg, pydantic and FastAPI write before the representation of a value, which is one line."""

_process_fields: dict[str, str] = {}
_level = logging.INFO


class _Lines(structlog.PrintLogger):
    """Writes lines to standard error, and knows the name it was asked for with ``structlog.get_logger(__name__)``."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def _add_trace(_: Any, __: str, entry: Entry) -> Entry:
    trace_id = current_trace_id()
    if trace_id:
        entry.setdefault("trace_id", trace_id)
    return entry


def _add_origin(lines: Any, __: str, entry: Entry) -> Entry:
    """Adds the module, and what configure_logs() was told of this process.

    Not by structlog's context variables: each method of an actor runs in a context of its own.
    """
    if lines.name:
        entry.setdefault("module", lines.name)
    for name, value in _process_fields.items():
        entry.setdefault(name, value)
    return entry


def _drop_details(_: Any, __: str, entry: Entry) -> Entry:
    """Cuts values out of an exception: those of rows, which Postgres' details quote (``Key (email)=(ada@example.org)
    exists``), and those that a library found invalid."""
    if isinstance(trace := entry.get("exception"), str):
        entry["exception"] = _QUOTED_INPUT.sub(r"\1 [cut]", _DETAIL.sub("", trace))
    return entry


def configure_logs(level: str = "INFO", **fields: str) -> None:
    """Sends structlog's lines to standard error as JSON; `fields` (brand, process) go into every line of this process.

    Raises KeyError for a level that `logging` does not know. Calling it again replaces level and fields.
    """
    global _level
    _level = logging.getLevelNamesMapping()[level]
    _process_fields.clear()
    _process_fields.update(fields)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_trace,
            _add_origin,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _drop_details,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_level),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )


def is_logged(level: int) -> bool:
    """Whether lines of this level (one of `logging`) are written. For hot paths: it costs less than a logger does."""
    return level >= _level


def _dumps(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that names its module."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return bound
