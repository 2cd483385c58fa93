"""Timelines and counters in the test process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from actors.counters import KIND as COUNTER_KIND
from actors.counters.calls import CounterCalls
from actors.counters.effects import CounterEffects
from actors.feeds import KIND
from actors.feeds.calls import FeedCalls
from actors.feeds.effects import FeedEffects
from actors.feeds.entity import FeedEntity
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrites
from actors.runtime.transport.router import Router
from cluster.postgres import open_database
from features.counters.policy import CounterPolicy
from features.counters.ports import COUNTERS
from features.feed.policy import FeedPolicy
from features.feed.ports import FEEDS
from features.ports import Ports
from tests.support.entity_host import SECRET, EntityHost, OneHost, shard_rows
from tests.support.kind_context import kind_context

_KINDS = (KIND.name, COUNTER_KIND.name)


class TimelineHost(EntityHost):
    """The host of timelines and counters."""

    def entity(self, entity_id: str) -> FeedEntity:
        """An entity in memory."""
        entity = self.mailboxes.shard(KIND.name, shard_of(entity_id)).mailboxes[entity_id].entity
        assert isinstance(entity, FeedEntity)
        return entity


HOSTS: dict[int, TimelineHost] = {}
"""The timeline host of each environment, by `id()` of the environment."""


@contextlib.asynccontextmanager
async def entities(
    database_address: str, folder: Path, policy: FeedPolicy, counters: CounterPolicy
) -> AsyncIterator[tuple[TimelineHost, Ports]]:
    """Starts a host. Yields it with the ports of its entities."""
    database = await open_database(database_address, pool_size=2)
    store = await ShardStore.open(database_address, application="test")
    leadership = (await store.lead("leader", 3600.0)).leadership
    assert leadership is not None
    await store.write_map(leadership, shard_rows(COUNTER_KIND.name))
    writes = await TurnWrites.open(database_address)
    timelines = FeedEffects(kind_context(policy, database=database))
    counting = CounterEffects(kind_context(counters, database=database))
    runners = (
        TurnRunner(KIND, timelines, None),
        TurnRunner(COUNTER_KIND, counting, store, Committer(writes)),
    )
    socket = str(folder / "host.sock")
    host = TimelineHost(runners, socket)
    await host.start()
    router = Router(OneHost(socket, _KINDS), SECRET)
    await router.start(60)
    try:
        yield host, Ports().connect(FEEDS, FeedCalls(router)).connect(COUNTERS, CounterCalls(router))
    finally:
        await router.close()
        host.stop()
        await host.mailboxes.close()
        await counting.close()
        await writes.close()
        await store.close()
        await database.close()
