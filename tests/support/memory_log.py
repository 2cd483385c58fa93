"""The event log in memory: a second implementation of the port, for unit tests and for the contract's own sake."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from cluster.events.log import Fetched, LogUnavailable, Partition, Record


class MemoryEventLog:
    """The log of one brand. `away` makes every call fail."""

    def __init__(self, brand: str) -> None:
        self.brand = brand
        self.away = False
        self.share = 0.0
        self._appended = asyncio.Event()
        self._last = 0
        self._records: dict[Partition, list[Record]] = {}

    def lose_everything(self) -> None:
        self._last = 0
        self._records = {}

    async def position(self) -> int:
        self._answer()
        return self._last

    async def append(self, records: Sequence[Record], *, after: int, position: int) -> int:
        self._answer()
        if self._last == after:
            for record in records:
                self._records.setdefault(record.partition, []).append(record)
            self._last = position
            self._appended.set()
        return self._last

    async def read(self, positions: Mapping[Partition, int], *, count: int) -> Fetched:
        self._answer()
        found = {
            partition: [record for record in self._records.get(partition, ()) if record.position > position][:count]
            for partition, position in positions.items()
        }
        return Fetched({partition: records for partition, records in found.items() if records}, self._last)

    async def wait(
        self, positions: Mapping[Partition, int], *, count: int, wait_s: float
    ) -> dict[Partition, list[Record]]:
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    self._appended.clear()
                    if found := (await self.read(positions, count=count)).records:
                        return found
                    await self._appended.wait()
        except TimeoutError:
            return {}

    async def position_at(self, partition: Partition, at: datetime) -> int:
        self._answer()
        before = [each.position for each in self._records.get(partition, ()) if each.event.occurred_at < at]
        return max(before, default=0)

    async def topics(self) -> set[str]:
        self._answer()
        return {partition.topic for partition in self._records}

    async def trim(self, positions: Mapping[Partition, int]) -> None:
        self._answer()
        for partition, position in positions.items():
            self._records[partition] = [
                record for record in self._records.get(partition, ()) if record.position >= position
            ]

    async def fill_share(self) -> float:
        self._answer()
        return self.share

    async def close(self) -> None:
        """Nothing is open."""

    def _answer(self) -> None:
        if self.away:
            raise LogUnavailable
