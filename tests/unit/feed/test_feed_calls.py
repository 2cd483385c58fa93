"""What the gateway makes of timelines that fail, are slow, or whose host is gone."""

import asyncio
from typing import Any

import pytest

from actors.feeds.breaker import PAUSE_S
from actors.feeds.calls import FeedCalls
from actors.feeds.entity import KIND_NAME, page_to_wire
from actors.runtime import CallError, DeadlineExceeded, EntityFailed, HostUnavailable
from actors.runtime.shard_map import SHARDS, Endpoint, MapView, shard_of
from features.feed.machine import Timeline
from features.feed.ports import FeedsUnavailable

HOSTS = ("host-0.1", "host-1.1")
EMPTY = page_to_wire(Timeline().page(None, 10))


class StubRouter:
    """Knows a map of two hosts, each with every other shard; what readers are answered is up to the test."""

    def __init__(self) -> None:
        owners = [HOSTS[shard % 2] for shard in range(SHARDS)]
        self.view = MapView(1, {host: Endpoint(host, "node", "", "") for host in HOSTS}, {KIND_NAME: owners})
        self.errors: dict[str, CallError] = {}
        self.slow: dict[str, asyncio.Future[Any]] = {}
        self.calls = 0

    def owner(self, kind: str, entity_id: str) -> str:
        return self.view.owners[kind][shard_of(entity_id)]

    async def call(self, kind: str, entity_id: str, message: Any, timeout: float, *, patient: bool = True) -> Any:
        self.calls += 1
        if entity_id in self.slow:
            return await self.slow[entity_id]
        if entity_id in self.errors:
            raise self.errors[entity_id]
        return EMPTY


class Setting:
    """A gateway's FeedCalls over the stub, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.router = StubRouter()
        self.feeds = FeedCalls(self.router, lambda: self.now)  # type: ignore[arg-type]

    def readers_of(self, host: str, count: int) -> list[bytes]:
        ids = (number.to_bytes(16, "big") for number in range(10_000))
        return [id for id in ids if self.router.owner(KIND_NAME, id.hex()) == host][:count]

    async def read(self, reader: bytes) -> bool:
        """Whether the page came from memory."""
        try:
            await self.feeds.page(reader, None, 10)
        except FeedsUnavailable:
            return False
        return True


async def test_a_timeline_that_fails_costs_no_other_one() -> None:
    setting = Setting()
    failing, neighbour = setting.readers_of(HOSTS[0], 2)
    setting.router.errors[failing.hex()] = EntityFailed("its snapshot cannot be read")
    assert not await setting.read(failing)
    assert await setting.read(neighbour)


@pytest.mark.parametrize("error", [HostUnavailable("gone"), DeadlineExceeded("no answer")])
async def test_a_host_that_does_not_answer_is_paused_and_no_other(error: CallError) -> None:
    setting = Setting()
    failing, neighbour = setting.readers_of(HOSTS[0], 2)
    (elsewhere,) = setting.readers_of(HOSTS[1], 1)
    setting.router.errors[failing.hex()] = error
    assert not await setting.read(failing)
    calls = setting.router.calls
    assert not await setting.read(neighbour)
    assert setting.router.calls == calls, "nobody waits for a host that is gone"
    assert await setting.read(elsewhere)
    setting.now += PAUSE_S
    assert await setting.read(neighbour)


async def test_a_slow_timeline_does_not_pause_a_host_that_answers_others() -> None:
    setting = Setting()
    slow, neighbour = setting.readers_of(HOSTS[0], 2)
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    setting.router.slow[slow.hex()] = answer
    reading = asyncio.create_task(setting.read(slow))
    await asyncio.sleep(0)
    setting.now += 0.2
    assert await setting.read(neighbour)
    setting.now += 0.3
    answer.set_exception(DeadlineExceeded("no answer"))
    assert not await reading
    assert await setting.read(neighbour)
