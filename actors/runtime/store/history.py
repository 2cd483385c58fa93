"""What a host process knows to be stored, by which it notices that the database went back behind that.

A restored backup, or a promoted replica that missed the last writes, may have the very map that is known, and lack what
entities wrote since. So each heartbeat stores its time, and each transaction of turns a number, and both are compared
with the last that were acknowledged. A database that goes back loses its last writes, in the order of their commits:
what was committed before a stored heartbeat is stored too.

Transactions are numbered in a few *series*, each for one at a time: no transaction waits for another's row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

UNSYNCED_SECONDS = 1.0
"""Heartbeats are stored with ``synchronous_commit = off``: a Postgres that merely crashes loses those of its last three
``wal_writer_delay``, which is 0.6 s. Missing ones count from then on."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored at least."""

    beat_at: float = -math.inf
    """A heartbeat of this time or a later one."""
    commits: Mapping[UUID, int] = field(default_factory=dict)
    """Per series, this number or a higher one."""


class Series:
    """Transactions one after another."""

    __slots__ = ("committed_at", "id", "number")

    def __init__(self) -> None:
        self.id: UUID = uuid4()
        self.number = 0
        """Of its last transaction that was acknowledged; 0 if none was."""
        self.committed_at = -math.inf


class History:
    """The heartbeats and transactions of one process. Pure; times are monotonic seconds."""

    def __init__(self) -> None:
        self._beat_at = -math.inf
        self._free: list[Series] = []
        self._under_way: list[Series] = []
        self._ended: list[Series] = []

    def known(self) -> Known:
        """What is stored, if the database did not go back."""
        # Who lacks an earlier transaction lacks that heartbeat, too.
        beat_at = self._beat_at - UNSYNCED_SECONDS
        series = [*self._free, *self._under_way, *self._ended]
        return Known(beat_at, {one.id: one.number for one in series if one.committed_at > beat_at})

    def beat(self, at: float) -> None:
        """A heartbeat of this time is stored."""
        self._beat_at = at
        self._ended = [series for series in self._ended if series.committed_at > at - UNSYNCED_SECONDS]

    def begin(self) -> Series:
        """The series of a transaction that begins. It ends with ``committed``, ``rolled_back`` or ``lost``."""
        series = self._free.pop() if self._free else Series()
        self._under_way.append(series)
        return series

    def committed(self, series: Series, now: float) -> None:
        """The transaction is stored, and has raised the series' number by one."""
        series.number += 1
        series.committed_at = now
        self.rolled_back(series)

    def rolled_back(self, series: Series) -> None:
        """The transaction is not stored."""
        if series in self._under_way:
            self._under_way.remove(series)
            self._free.append(series)

    def lost(self, series: Series) -> None:
        """Nobody knows what becomes of the transaction. It may still lock the row of the series, which ends here."""
        if series in self._under_way:
            self._under_way.remove(series)
            if series.number:
                self._ended.append(series)

    def forget(self) -> None:
        """The database went back, and so did all that is in memory."""
        self._beat_at = -math.inf
        self._free.clear()
        self._under_way.clear()
        self._ended.clear()
