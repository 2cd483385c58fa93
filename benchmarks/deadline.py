"""A limit on the time that a figure may take, so that a benchmark that hangs ends in an error."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FIGURE_TIMEOUT_S = 900.0
"""Of a module that declares no FIGURE_TIMEOUT_S of its own."""

SMALLEST_TIMEOUT_S = 300.0
"""The same at the smallest size. Most of it is for a busy machine to start a platform."""


class DeadlineExceeded(KeyboardInterrupt):
    """A figure took longer than its module's FIGURE_TIMEOUT_S.

    Like the interrupt by an operator it ends an event loop, whichever task it hits.
    """


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises DeadlineExceeded in the block once ``seconds`` are over, wherever it waits. For the main thread."""

    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise DeadlineExceeded(f"not measured within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
