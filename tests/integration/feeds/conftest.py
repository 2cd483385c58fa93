"""The brands with feeds served from memory: these fixtures replace those of tests/conftest.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.routes import VERSION
from brands.catalogue import BRANDS
from cluster.events.worker import drain_events
from deployments.platform import brand_consumers
from features.counters.policy import CounterPolicy
from features.feed.policy import FeedPolicy
from tests.support.environment import Environment, open_environment
from tests.support.mail_trap import MailTrap
from tests.support.servers import Servers, forget_brand, fresh_database
from tests.support.timeline_host import HOSTS, entities


@pytest.fixture
def feed_policy() -> FeedPolicy:
    """Overridden by tests of high-fan-out authors and short timelines."""
    return FeedPolicy()


@pytest.fixture
def counter_policy() -> CounterPolicy:
    """Overridden by tests of more reactions than memory has."""
    return CounterPolicy()


def set_patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """How long features wait for an entity before they do without it."""
    for calls in ("feeds", "counters"):
        for what in ("_READ_S", "_WRITE_S"):
            monkeypatch.setattr(f"actors.{calls}.calls.{what}", seconds)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory is read from there, although this process may stall."""
    set_patience(monkeypatch, 60.0)


async def deliver(environment: Environment, *names: str) -> None:
    """Runs the fan-out, and the named consumers. Everything else must have happened before the response."""
    platform = environment.platform
    wanted = [consumer for consumer in brand_consumers(platform) if consumer.name in {"feeds.fanout", *names}]
    await drain_events(wanted, platform.database, environment.event_log)


@asynccontextmanager
async def _environment(
    name: str,
    servers: Servers,
    template: str,
    tmp_path: Path,
    mail_trap: MailTrap,
    policy: FeedPolicy,
    counters: CounterPolicy,
) -> AsyncIterator[Environment]:
    await forget_brand(servers, name)
    brand = BRANDS[name].with_policy(policy)
    async with (
        fresh_database(servers, template) as address,
        entities(address, tmp_path, policy, counters) as (host, ports),
        open_environment(brand, address, servers.redis.address(), tmp_path, mail_trap, ports) as environment,
    ):
        HOSTS[id(environment)] = host

        async def deliver_first(request: httpx.Request) -> None:
            if request.url.path == f"{VERSION}/feed" and not {"cursor", "from"} & request.url.params.keys():
                await deliver(environment)

        environment.client.event_hooks["request"].append(deliver_first)
        yield environment
        del HOSTS[id(environment)]


@pytest.fixture
async def entativa(
    servers: Servers,
    template: str,
    tmp_path: Path,
    mail_trap: MailTrap,
    feed_policy: FeedPolicy,
    counter_policy: CounterPolicy,
) -> AsyncIterator[Environment]:
    """The brand with friends."""
    async with _environment(
        "entativa", servers, template, tmp_path, mail_trap, feed_policy, counter_policy
    ) as environment:
        yield environment


@pytest.fixture
async def vignette(
    servers: Servers,
    template: str,
    tmp_path: Path,
    mail_trap: MailTrap,
    feed_policy: FeedPolicy,
    counter_policy: CounterPolicy,
) -> AsyncIterator[Environment]:
    """The brand with follows."""
    async with _environment(
        "vignette", servers, template, tmp_path, mail_trap, feed_policy, counter_policy
    ) as environment:
        yield environment
