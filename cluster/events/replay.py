"""Sends one consumer back to a time, so that it handles everything since then again."""

from datetime import datetime

from cluster.events import offsets
from cluster.events.log import PARTITIONS, EventLog
from cluster.postgres import Database


class UnknownConsumer(Exception):
    """No consumer of this name has ever run."""


async def replay(database: Database, event_log: EventLog, consumer: str, since: datetime) -> int:
    """Let a consumer handle everything again that occurred since a time, as far back as the log goes. Running processes
    begin with their next heartbeat; what they have handled in the last second may not be among it. Returns how many
    partitions go back. Raises UnknownConsumer, LogUnavailable and DATABASE_ERRORS."""
    stored = (await offsets.load(database, [consumer], range(PARTITIONS)))[consumer]
    if not stored:
        raise UnknownConsumer(f"there is no consumer {consumer!r}")
    positions = {partition: await event_log.position_at(partition, since) for partition in stored}
    earlier = {partition: position for partition, position in positions.items() if position < stored[partition]}
    await offsets.send_back(database, consumer, earlier)
    return len(earlier)
