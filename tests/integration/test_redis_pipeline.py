"""Commands that wait at the same time share a round trip to Redis, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cluster.redis import Redis, RedisError, open_redis
from cluster.redis_pipeline import MAX_WAITERS, SharedPipeline
from tests.support.servers import Servers


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = open_redis(servers.redis.address())
    await client.flushdb()
    yield client
    await client.aclose()


def round_trips_of(client: Redis, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Has one more item with each."""
    begun: list[bool] = []
    make = client.pipeline

    def pipeline(transaction: bool) -> Any:
        begun.append(transaction)
        return make(transaction=transaction)

    monkeypatch.setattr(client, "pipeline", pipeline)
    return begun


async def test_each_caller_has_its_own_replies_and_its_own_error(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, round_trips = SharedPipeline(redis), round_trips_of(redis, monkeypatch)
    numbers = range(2 * MAX_WAITERS + 1)
    sets = [pipeline.execute(("SET", f"k{number}", number), ("GET", f"k{number}")) for number in numbers]
    *others, wrong = await asyncio.gather(
        *sets, pipeline.execute(("LPOP", "k0"), ("GET", "k1")), return_exceptions=True
    )
    assert others == [[True, str(number).encode()] for number in numbers]
    assert isinstance(wrong, RedisError)
    assert round_trips == [False] * 3, "for more callers than fit into two"
    assert await pipeline.execute(("GET", "k1")) == [b"1"]


async def test_a_caller_that_gives_up_takes_nobody_elses_reply(redis: Redis) -> None:
    pipeline = SharedPipeline(redis)
    calls = [asyncio.ensure_future(pipeline.execute(("SET", f"k{number}", number))) for number in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    assert (await calls[0], await calls[2]) == ([True], [True])
    assert await pipeline.execute(("GET", "k2")) == [b"2"]


async def test_without_redis_all_who_wait_are_told_and_later_ones_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_redis("redis://127.0.0.1:1")
    pipeline, round_trips = SharedPipeline(client), round_trips_of(client, monkeypatch)
    calls = [pipeline.execute(("GET", "k")) for _ in range(3 * MAX_WAITERS)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, RedisError) for outcome in outcomes)
    assert len(round_trips) == 1, "nobody waits for one attempt after the other"
    with pytest.raises(RedisError):
        await pipeline.execute(("GET", "k"))
    await client.aclose()
