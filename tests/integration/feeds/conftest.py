"""The brands' worlds with feeds served from memory: they stand in for those of tests/conftest.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from brands.catalogue import BRANDS
from cluster.consumers import ConsumerRunner
from cluster.outbox import relay_batch
from cluster.redis import open_redis
from deployments.platform import brand_consumers
from features.feed.policy import FeedPolicy
from tests.conftest import Servers, fresh_database
from tests.integration.feeds.timelines import HOSTS, timelines
from tests.world import MailTrap, World, open_world


@pytest.fixture
def feed_policy() -> FeedPolicy:
    """Overridden by tests of heavy authors and short timelines."""
    return FeedPolicy()


async def deliver(world: World) -> None:
    """What was posted reaches the timelines. Only that: everything else has to have happened at once."""
    while await relay_batch(world.platform.database, world.event_log, world.clock()):
        pass
    for consumer in brand_consumers(world.platform):
        if consumer.name == "feeds.fanout":
            await world.event_log.create_group(consumer.name)
            runner = ConsumerRunner(consumer, world.platform.database, world.event_log, "test")
            while await runner.step(block_ms=1):
                pass


@asynccontextmanager
async def _world(
    name: str, servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap, policy: FeedPolicy
) -> AsyncIterator[World]:
    redis = open_redis(servers.redis.address())
    old = [key async for key in redis.scan_iter(f"{name}:*", count=1000)]
    if old:
        await redis.delete(*old)
    await redis.aclose()
    brand = replace(BRANDS[name], feed=policy)
    async with (
        fresh_database(servers, template) as address,
        timelines(address, tmp_path, policy) as (host, feeds),
        open_world(brand, address, servers.redis.address(), tmp_path, mail_trap, feeds) as world,
    ):
        HOSTS[id(world)] = host

        async def deliver_first(request: httpx.Request) -> None:
            if request.url.path == "/feed" and not {"cursor", "from"} & request.url.params.keys():
                await deliver(world)

        world.client.event_hooks["request"].append(deliver_first)
        yield world
        del HOSTS[id(world)]


@pytest.fixture
async def entativa(
    servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap, feed_policy: FeedPolicy
) -> AsyncIterator[World]:
    """The brand with friends."""
    async with _world("entativa", servers, template, tmp_path, mail_trap, feed_policy) as world:
        yield world


@pytest.fixture
async def vignette(
    servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap, feed_policy: FeedPolicy
) -> AsyncIterator[World]:
    """The brand with follows."""
    async with _world("vignette", servers, template, tmp_path, mail_trap, feed_policy) as world:
        yield world
