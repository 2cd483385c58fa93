"""The newest records of the partitions that a process reads: read once, for all of its consumers.

One blocking read waits for all partitions. Each consumer takes what comes after its own offset; one that has fallen
behind what is kept here reads the log for itself until it has caught up. Only those who want an event that came are
woken at once: the others have nothing to do but to pass it, which many events share.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from cluster.events.log import EventLog, Partition, Record

KEPT_RECORDS = 256
"""Per partition."""
READ_AT_ONCE = 256
PASS_S = 1.0
"""Records of other types wait no longer than this to be passed by a consumer,"""
PASS_RECORDS = KEPT_RECORDS // 2
"""or until there are so many: what it has not passed must not be dropped here."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of their positions, and how far they reach in each partition, without gaps."""

    records: list[Record]
    upto: dict[Partition, int]


class Tail:
    """The newest records of the followed partitions."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._records: dict[Partition, list[Record]] = {}
        self._after: dict[Partition, int] = {}
        self._listeners: list[tuple[asyncio.Event, Set[str]]] = []
        self._unannounced = 0
        """Records that have come since all listeners were told."""
        self._announcement: asyncio.TimerHandle | None = None

    @property
    def followed(self) -> int:
        """How many partitions are read."""
        return len(self._after)

    def follow(self, positions: Mapping[Partition, int]) -> None:
        """Read these partitions and no others, new ones from these positions on."""
        for partition in self._after.keys() - positions.keys():
            del self._after[partition], self._records[partition]
        for partition in positions.keys() - self._after.keys():
            self._after[partition], self._records[partition] = positions[partition], []
        self.announce()

    def listen(self, event: asyncio.Event, types: Set[str]) -> None:
        """Set this event whenever there is a new record of these types, and soon after others have come."""
        self._listeners.append((event, types))

    def announce(self) -> None:
        """Wake all listeners."""
        if self._announcement is not None:
            self._announcement.cancel()
            self._announcement = None
        self._unannounced = 0
        for event, _ in self._listeners:
            event.set()

    def _announce(self, records: Sequence[Record]) -> None:
        """Wake those who want one of these records now, and the others when it is time to pass them."""
        self._unannounced += len(records)
        if self._unannounced >= PASS_RECORDS:
            self.announce()
            return
        if self._announcement is None:
            self._announcement = asyncio.get_running_loop().call_later(PASS_S, self.announce)
        came = {record.event.type for record in records}
        for event, types in self._listeners:
            if not came.isdisjoint(types):
                event.set()

    async def read(self, *, wait_s: float = 0) -> int:
        """Read what is new in any partition; waits up to `wait_s` seconds for it. Returns how many records came.
        Raises LogUnavailable."""
        if not self._after:
            return 0
        ends = {partition: self._end(partition) for partition in self._after}
        if wait_s:
            found = await self._log.wait(ends, count=READ_AT_ONCE, wait_s=wait_s)
        else:
            found = (await self._log.read(ends, count=READ_AT_ONCE)).records
        for partition, records in found.items():
            if partition in self._after and self._end(partition) == ends[partition]:
                self._keep(partition, records)
        records = [record for came in found.values() for record in came]
        if records:
            self._announce(records)
        return len(records)

    def _keep(self, partition: Partition, records: Sequence[Record]) -> None:
        kept = self._records[partition]
        kept += records
        if surplus := max(0, len(kept) - KEPT_RECORDS):
            self._after[partition] = kept[surplus - 1].position
            del kept[:surplus]

    def _end(self, partition: Partition) -> int:
        records = self._records[partition]
        return records[-1].position if records else self._after[partition]

    async def take(self, positions: Mapping[Partition, int], count: int) -> Batch:
        """About `count` records at most after these positions. Raises LogUnavailable."""
        records: list[Record] = []
        upto: dict[Partition, int] = {}
        behind: dict[Partition, int] = {}
        for partition, position in positions.items():
            if partition not in self._after:
                continue
            if position < self._after[partition]:
                behind[partition] = position
            else:
                kept = self._records[partition]
                found = kept[bisect_right(kept, position, key=_position) :]
                records += found[:count]
                if found:
                    upto[partition] = found[min(count, len(found)) - 1].position
        if behind:
            await self._take_older(behind, max(1, count // len(behind)), records, upto)
        records.sort(key=_position)
        if len(records) > count:
            for record in records[count:]:
                upto[record.partition] = min(upto[record.partition], record.position - 1)
            del records[count:]
        return Batch(records, {each: upto[each] for each in upto if upto[each] > positions[each]})

    async def _take_older(
        self, behind: Mapping[Partition, int], share: int, records: list[Record], upto: dict[Partition, int]
    ) -> None:
        kept_from = {partition: self._after[partition] for partition in behind}
        fetched = await self._log.read(behind, count=share)
        for partition in behind:
            found = fetched.records.get(partition, [])
            records += found
            if found:
                upto[partition] = found[-1].position
            # Nothing is left between there and here, unless the log has lost its end and gets it again just now.
            if len(found) < share and fetched.last >= kept_from[partition]:
                upto[partition] = max(upto.get(partition, 0), kept_from[partition])


def _position(record: Record) -> int:
    return record.position
