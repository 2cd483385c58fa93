"""Timelines on a Ray cluster: whatever befalls their hosts, a feed is what Postgres says it is."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from actors.counters.calls import CounterCalls
from actors.feeds.calls import FeedCalls
from actors.feeds.entity import KIND_NAME
from actors.runtime.options import ScalingPolicy
from actors.runtime.shard_map import shard_of
from brands.catalogue import BRANDS
from cluster.events.redis_log import open_redis_log
from cluster.events.trimming import lags
from cluster.events.worker import Worker
from cluster.redis import open_redis
from deployments.platform import brand_consumers
from features.counters.policy import CounterPolicy
from features.counters.ports import COUNTERS
from features.feed.policy import FeedPolicy
from features.feed.ports import FEEDS
from features.ports import Ports
from tests.cluster.conftest import Platform, RunningRuntime, eventually, running
from tests.support.environment import Environment, open_environment
from tests.support.mail_trap import MailTrap
from tests.support.member import Member
from tests.support.servers import Servers, fresh_database

NAMES = ("ada", "bob", "eve", "mia", "tom", "zoe", "kim")
BRAND = BRANDS["vignette"]


def degraded() -> float:
    """How many pages came from Postgres since timelines could not be reached."""
    return REGISTRY.get_sample_value("entativa_degraded_total", {"mode": "feed_from_sql"}) or 0.0


class Town:
    """People who follow each other, post and read, over the real application and its consumers."""

    def __init__(self, environment: Environment, runtime: RunningRuntime) -> None:
        self.environment = environment
        self.runtime = runtime
        self.people: list[Member] = []
        self.authors: dict[str, str] = {}
        """Id of each post that is there to its author's name."""
        self.deleted: set[str] = set()
        self.parted: set[frozenset[str]] = set()
        self._chance = random.Random(5)

    async def settle(self) -> None:
        self.people = [await self.environment.member(name) for name in NAMES]
        for viewer in self.people:
            for owner in self.people:
                if viewer is not owner:
                    assert (await viewer.put(f"/follows/{owner.username}")).is_success

    async def post(self) -> None:
        author = self._chance.choice(self.people)
        self.environment.clock.advance(timedelta(milliseconds=self._chance.choice((0, 1, 40))))
        answer = await author.post("/posts", json={"text": f"{len(self.authors)} of {author.username}"})
        assert answer.status_code == 201, answer.text
        self.authors[answer.json()["id"]] = author.username

    async def delete(self) -> None:
        post_id = self._chance.choice(sorted(self.authors))
        author = self._member(self.authors.pop(post_id))
        assert (await author.delete(f"/posts/{post_id}")).is_success
        self.deleted.add(post_id)

    async def block(self, one: str, other: str) -> None:
        assert (await self._member(one).put(f"/blocks/{other}")).is_success
        self.parted.add(frozenset((one, other)))

    def _member(self, username: str) -> Member:
        return next(person for person in self.people if person.username == username)

    async def read(self, reader: Member) -> None:
        """Whatever happens there is a page, each post once, and nothing that was taken back before."""
        deleted, parted = set(self.deleted), set(self.parted)
        answer = await reader.get("/feed", params={"limit": 50})
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        ids = [item["id"] for item in items]
        assert len(set(ids)) == len(ids)
        assert not deleted & set(ids)
        assert not [item for item in items if frozenset((reader.username, item["author"]["username"])) in parted]

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Meanwhile posts are published, deleted and read."""
        over = asyncio.Event()

        async def write() -> None:
            while not over.is_set():
                for _ in range(6):
                    await self.post()
                    await asyncio.sleep(0.05)
                await self.delete()

        async def look() -> None:
            while not over.is_set():
                for reader in self.people:
                    await self.read(reader)
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(look())
            try:
                yield
            finally:
                over.set()

    async def compare(self) -> None:
        """Once everything is delivered: every feed from memory is, page by page, the one from Postgres."""
        await eventually(self._delivered)
        for reader in self.people:
            seen: list[str] = []
            query: dict[str, Any] = {"limit": 40}
            while True:
                page = await eventually(partial(self._from_memory, reader, query))
                # A parameter that nobody knows takes the way to Postgres.
                assert page == (await reader.get("/feed", params=query | {"from": "postgres"})).json()
                seen += [item["id"] for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
            assert len(set(seen)) == len(seen)
            assert set(seen) == {
                post_id
                for post_id, author in self.authors.items()
                if frozenset((reader.username, author)) not in self.parted
            }

    async def _delivered(self) -> bool:
        async with self.environment.platform.database.unit_of_work(read_only=True) as uow:
            waiting = await uow.fetchval("select count(*) from outbox")
        unfinished = await lags(self.environment.platform.database)
        # No other consumers run here.
        return not waiting and not any(consumer.startswith("feeds.") for consumer in unfinished)

    @staticmethod
    async def _from_memory(reader: Member, query: dict[str, Any]) -> Any:
        """Right after a failure Postgres stands in for a moment."""
        before = degraded()
        answer = await reader.get("/feed", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json() if degraded() == before else None

    # --- what befalls the hosts ------------------------------------------------------------------------------

    async def owner(self, reader: Member) -> str:
        """The host of a reader's timeline."""
        return await self.runtime.owner(KIND_NAME, shard_of(UUID(reader.id).hex))

    async def grow(self) -> None:
        """So much is read that a second host comes, and half of the timelines go there."""
        calls = FeedCalls(self.runtime.router)
        readers = [UUID(person.id).bytes for person in self.people]
        while not await self.runtime.settled(2):
            reads = (calls.page(reader, None, 20) for reader in readers * 6)
            await asyncio.gather(*reads, return_exceptions=True)
            await asyncio.sleep(0.1)

    async def crash(self) -> None:
        """The host of ada's timeline dies, and before anybody has noticed things are taken back."""
        os.kill(await self.runtime.pid(await self.owner(self.people[0])), signal.SIGKILL)
        await asyncio.gather(self.delete(), self.block("ada", "bob"))
        await self._take_back()

    async def lose_node(self, platform: Platform) -> None:
        """So does a whole node."""

        async def node() -> str | None:
            name = await self.owner(self.people[2])
            return next((row.node for row in await self.runtime.hosts() if row.name == name), None)

        await asyncio.to_thread(platform.kill_worker, await eventually(node))
        await asyncio.gather(self.delete(), self.block("mia", "eve"))
        await self._take_back()
        await asyncio.to_thread(platform.add_worker)

    async def _take_back(self) -> None:
        for reader in self.people:
            await self.read(reader)
        await eventually(lambda: self.runtime.settled(2), timeout=120)


@pytest.fixture
async def environment(
    platform: Platform, servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap
) -> AsyncIterator[Town]:
    """One host, which grows to two."""
    async with open_redis(servers.redis.address()) as redis:
        async for key in redis.scan_iter(f"{BRAND.name}:*", count=1000):
            await redis.delete(key)
    # By its calls alone: how long they wait is the machine's business.
    scaling = ScalingPolicy(
        min_hosts=1, max_hosts=2, calls_per_second=200.0, queue_wait=60.0, grow_after=0.5, shrink_after=3600.0
    )
    async with fresh_database(servers, template) as address:
        options: dict[str, Any] = {
            "kinds": {
                "actors.feeds:KIND": BRAND.policy(FeedPolicy),
                "actors.counters:KIND": BRAND.policy(CounterPolicy),
            },
            "redis": servers.redis.address(),
            "scaling": scaling,
            "coordinators": 1,
        }
        async with running(address, hosts=1, **options) as runtime:
            ports = Ports().connect(FEEDS, FeedCalls(runtime.router))
            ports = ports.connect(COUNTERS, CounterCalls(runtime.router))
            async with open_environment(BRAND, address, servers.redis.address(), tmp_path, mail_trap, ports) as brand:
                environment = Town(brand, runtime)
                await environment.settle()
                consumers = [each for each in brand_consumers(brand.platform) if each.name.startswith("feeds.")]
                async with open_redis_log(brand.platform.redis, servers.redis.address(), BRAND.name) as event_log:
                    work = asyncio.create_task(Worker(consumers, brand.platform.database, event_log).run_with_relay())
                    yield environment
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)


@pytest.mark.slow
async def test_whatever_befalls_their_hosts_feeds_are_what_postgres_says(environment: Town, platform: Platform) -> None:
    await eventually(lambda: environment.runtime.settled(1))
    async with environment.busy():
        await environment.grow()
    await environment.compare()
    async with environment.busy():
        await environment.crash()
    await environment.compare()
    async with environment.busy():
        await environment.lose_node(platform)
    await environment.compare()
