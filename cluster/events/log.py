"""The port of the event log: topics with partitions, each an ordered list of records with ascending positions.

Redis Streams implement it (cluster/events/redis_log.py). A Kafka broker can: a position travels as a header, the reader
drops records whose position it has passed, and `read`, `position_at` and `trim` are fetch, offsets-for-times and
delete-records. Whatever implements it passes tests/integration/events/test_log_contract.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cluster.events.event import Event

PARTITIONS = 8
"""Partitions of every topic: as many processes can share the work of one brand's consumers. The relay's statement and
table event_partitions know the number too; to change it, let every consumer finish what is in the log first, since a
key's events may come to lie in two partitions."""

WAIT_S = 5.0
"""The longest that one blocking read may wait."""


class LogUnavailable(Exception):
    """The log cannot be reached, or takes no more; what was appended before is kept."""


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """An event in the log. Positions ascend within a partition, with gaps."""

    partition: Partition
    position: int
    event: Event


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records by partition, and the log's last position at the moment they were read."""

    records: dict[Partition, list[Record]]
    last: int


class EventLog(Protocol):
    """The log of one brand. Everything raises LogUnavailable."""

    brand: str

    async def position(self) -> int:
        """The position of the last record that was appended and is not lost; 0: none."""

    async def append(self, records: Sequence[Record], *, after: int, position: int) -> int:
        """Append records with ascending positions, all or none, if the last position is `after`; `position` becomes the
        last one. Returns the last position: `position`, or another one, in which case nothing was appended."""

    async def read(self, positions: Mapping[Partition, int], *, count: int) -> Fetched:
        """Up to `count` records of each partition after its position."""

    async def wait(
        self, positions: Mapping[Partition, int], *, count: int, wait_s: float
    ) -> dict[Partition, list[Record]]:
        """The same, and waits up to `wait_s` seconds, WAIT_S at most, for the first record."""

    async def position_at(self, partition: Partition, at: datetime) -> int:
        """The position of the last record whose event occurred before `at`; reading goes on after it. 0: none."""

    async def topics(self) -> set[str]:
        """Every topic that has been appended to."""

    async def trim(self, positions: Mapping[Partition, int]) -> None:
        """Forget records before these positions, perhaps a few less than all of them."""

    async def fill_share(self) -> float:
        """How much of its memory or disk the log's server uses, from 0 to 1; 0 where it has no limit."""

    async def close(self) -> None:
        """Close connections."""


def partitions_of(topics: Iterable[str], numbers: Iterable[int] = range(PARTITIONS)) -> list[Partition]:
    """These partitions of every topic."""
    numbers = list(numbers)
    return [Partition(topic, number) for topic in sorted(topics) for number in numbers]
