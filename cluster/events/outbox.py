"""The outbox: events of a transaction, written by it, and a signal to the relay once they are committed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from cluster.events.event import Event

CHANNEL = "outbox"
"""Of NOTIFY. The signal is sent on its own after the commit: a NOTIFY inside a transaction would hold a lock of the
whole server until its commit is on disk."""

_COLUMNS = {
    "event_id": "uuid",
    "type": "text",
    "key": "text",
    "payload": "jsonb",
    "traceparent": "text",
    "occurred_at": "timestamptz",
    "version": "smallint",
}


def insert_statement(*, first: int = 1, condition: str = "true") -> str:
    """Returns the statement that writes events if a condition holds; `insert_arguments` are its parameters from number
    `first` on."""
    arrays = ", ".join(f"${number}::{type}[]" for number, type in enumerate(_COLUMNS.values(), first))
    return f"insert into outbox ({', '.join(_COLUMNS)}) select * from unnest({arrays}) where {condition}"


INSERT = insert_statement()

_PAUSE_S = 0.02
"""Between two signals of one process. What is committed meanwhile shares the second; the relay pauses as long."""


def insert_arguments(events: Sequence[Event]) -> list[list[Any]]:
    """The arguments of `insert_statement`."""
    return [
        [event.id for event in events],
        [event.type for event in events],
        [event.key for event in events],
        [orjson.dumps(event.payload).decode() for event in events],
        [event.traceparent for event in events],
        [event.occurred_at for event in events],
        [event.version for event in events],
    ]


class OutboxSignal:
    """Wakes the relay. A signal that is lost (this process dies, Postgres restarts) costs the relay's next poll."""

    def __init__(self, execute: Callable[[str], Awaitable[Any]], errors: tuple[type[Exception], ...]) -> None:
        self._execute = execute
        self._errors = errors
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    def send(self) -> None:
        """Wake the relay soon, without waiting for it."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._wanted:
            self._wanted = False
            try:
                await self._execute(f"notify {CHANNEL}")
            except self._errors:
                return
            await asyncio.sleep(_PAUSE_S)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
