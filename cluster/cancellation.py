"""Cancellation of tasks: work that it must not interrupt, and cancellations that clean-up has hidden."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work` to its end even if the caller is cancelled meanwhile; then raises CancelledError. `work` runs in a
    task of its own. Exceptions of `work` propagate."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # retrieved: the caller is told of the cancellation instead
        raise cancelled
    return task.result()


def raise_if_cancelled() -> None:
    """To be called first where a loop catches errors of storage and goes on: the clean-up of a driver whose connection
    is gone may have raised one in place of the CancelledError that it was to let pass. Raises CancelledError if
    somebody has cancelled the current task."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@contextmanager
def cancellation_first() -> Iterator[None]:
    """A block that raises CancelledError if the current task was cancelled, even where clean-up raised another
    exception in its place."""
    try:
        yield
    except Exception:
        raise_if_cancelled()
        raise
