"""Collects the exceptions of tasks and callbacks that nobody awaits; asyncio only logs them.

Exceptions of bare futures are not collected: a caller may give up a call before it fails.
"""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

_REPORTS = ("Task exception was never retrieved", "Exception in callback")


class _Collector(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(_REPORTS):
            self._errors.append(self.format(record))


@contextmanager
def task_errors() -> Iterator[list[str]]:
    """Yields a list to which asyncio's error reports are appended until the block ends."""
    errors: list[str] = []
    collector = _Collector(errors)
    logger = logging.getLogger("asyncio")
    logger.addHandler(collector)
    try:
        yield errors
        gc.collect()  # a task reports an exception that nobody retrieved when it is destroyed
    finally:
        logger.removeHandler(collector)
