"""SIGTERM ends a benchmark as Ctrl-C does: it stops the platform, servers and processes that it started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """Somebody has sent SIGTERM. Like the interrupt by an operator it ends an event loop, whichever task it hits."""


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM raises Terminated in the block, wherever it waits; a second one changes nothing. For the main thread."""
    told = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            told = True
            raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
