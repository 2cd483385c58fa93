"""Background tasks whose failures are logged and counted, and end the process where it cannot do without them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from cluster.metrics import Counter

Result = TypeVar("Result")

FAILURES = Counter(
    "entativa_background_task_failures_total", "Background tasks that ended in an unexpected error", ["task"]
)
_EXIT_DELAY_SECONDS = 1.0
"""Between a critical task's end and the process's, so that an actor that fails at every start does not take a whole
core with restarts."""

log = structlog.get_logger(__name__)


def end_process() -> None:
    """Ends this process at once, with status 1. Ray restarts an actor whose process ends like this; it does not if
    the actor's constructor raises or its main task merely stops."""
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        logging.shutdown()
    finally:
        # Whatever the streams raise: nobody may read them any more, or they are closed.
        os._exit(1)


class BackgroundTasks:
    """The tasks that an object has started and that nobody awaits.

    It keeps a reference to each (asyncio itself does not), logs and counts the exceptions they end in, and ends the
    process when a critical one ends in any other way than by cancellation.
    """

    def __init__(self, exit_process: Callable[[], None] = end_process) -> None:
        """``exit_process`` is called, after a delay of a second, when a critical task has ended."""
        self._exit_process = exit_process
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failed = False
        """Whether a critical task has ended, and the process is about to."""

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(
        self, name: str, coroutine: Coroutine[Any, Any, Result], *, critical: bool = False
    ) -> asyncio.Task[Result]:
        """Starts a task. ``name`` is a constant (it labels logs and metrics), not one per entity or host.

        A ``critical`` one is to run as long as the process: its return, like its failure, ends the process.
        """
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended_critical if critical else self._ended)
        return task

    async def close(self) -> None:
        """Cancels all tasks and waits for their ends."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if _was_asked_to_end(task):
            return
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            FAILURES.labels(task.get_name()).inc()
            log.error("background_task.failed", task=task.get_name(), exc_info=error)

    def _ended_critical(self, task: asyncio.Task[Any]) -> None:
        self._ended(task)
        if not _was_asked_to_end(task) and not self.failed:
            self.failed = True
            log.critical("process.exits", because_of=task.get_name())
            task.get_loop().call_later(_EXIT_DELAY_SECONDS, self._exit_process)


def _was_asked_to_end(task: asyncio.Task[Any]) -> bool:
    """Whether somebody cancelled the task. One that awaits what is cancelled elsewhere counts as cancelled too, but
    that is a failure like any other."""
    return task.cancelled() and task.cancelling() > 0
