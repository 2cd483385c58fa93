"""Hosts whose process has certainly ended, so that nobody need wait for the end of their leases.

A lease is for hosts that cannot be reached and may live: such a host may still answer from memory. One whose process
has ended answers nothing. That it has is for Ray to say: a call that fails or a connection that is closed can be the
network's fault. What the process has under way in Postgres may still run, as at the end of a lease, and is fenced as it
is then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from actors.runtime.store.rows import HostRow
from actors.runtime.supervise import BackgroundTasks


class Workers(Protocol):
    """Who knows of the ends of processes."""

    async def follow_worker_ends(self, announced: Callable[[str], None]) -> None:
        """Calls ``announced`` with the id of each process whose end Ray announces, until cancelled. An announcement is
        no proof, and some are lost."""

    async def process_has_ended(self, worker: str) -> bool:
        """Whether a process has certainly ended. May take as long as Ray's head is away."""


class HostDeaths:
    """The ends of hosts' processes during one term of a leader."""

    def __init__(self, workers: Workers, tasks: BackgroundTasks, wake: Callable[[], None]) -> None:
        """``wake`` is called when a host is to be declared dead."""
        self._workers = workers
        self._tasks = tasks
        self._wake = wake
        self._follows = False
        self._known: frozenset[str] = frozenset()
        """Processes of the hosts that live as far as Postgres knows."""
        self._ended: frozenset[str] = frozenset()
        """Those among them that have ended."""

    def dead_among(self, rows: Sequence[HostRow]) -> list[HostRow]:
        """Those whose process has ended. ``rows`` are all hosts that Postgres has; from now on this is about them. A
        process is named by an id of its own, so this is never about the next one that has its host's name."""
        self._known = frozenset(row.worker for row in rows if row.worker)
        self._ended &= self._known
        if not self._follows and len(rows) > 1:
            # A single host has nobody who could take over its shards before it is back.
            self._follows = True
            self._tasks.spawn("leader.follow_worker_ends", self._workers.follow_worker_ends(self._announced))
        return [row for row in rows if row.worker in self._ended]

    def _announced(self, worker: str) -> None:
        if worker in self._known:
            self._tasks.spawn("leader.process_has_ended", self._prove(worker))

    async def _prove(self, worker: str) -> None:
        if await self._workers.process_has_ended(worker):
            self._ended |= {worker}
            self._wake()
