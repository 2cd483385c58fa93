"""The script that admits requests: its connection, and requests that share a round trip."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.admission import Admissions
from api.rate_limit import Limit
from cluster.redis import Redis, RedisError, open_redis
from cluster.redis_script import HotScript
from tests.support.servers import Servers

ECHO = "if ARGV[1] == 'fail' then return redis.error_reply('as asked') end return {KEYS[1], ARGV[1]}"


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = open_redis(servers.redis.address(), timeout_s=20)
    yield client
    await client.aclose()


@pytest.fixture
async def script(redis: Redis) -> AsyncIterator[HotScript]:
    script = HotScript(redis, ECHO)
    yield script
    await script.close()


async def test_it_goes_on_after_an_error_a_restart_and_a_lost_connection(redis: Redis, script: HotScript) -> None:
    assert await script.run(["a"], [1]) == [b"a", b"1"]
    with pytest.raises(RedisError, match="as asked"):
        await script.run(["b"], ["fail"])
    await redis.script_flush()  # a Redis that was started anew knows no script
    assert await script.run(["c"], [b"\xff"]) == [b"c", b"\xff"]
    await redis.client_kill_filter(_type="normal", skipme=True)
    assert await script.run(["d"], [4]) == [b"d", b"4"]


async def test_a_late_reply_is_nobody_elses(servers: Servers, redis: Redis) -> None:
    hasty = open_redis(servers.redis.address(), timeout_s=0.5)
    script = HotScript(hasty, ECHO)
    try:
        await redis.client_pause(60_000, all=False)  # scripts wait
        with pytest.raises(RedisError):
            await script.run(["a"], ["late"])
        await redis.client_unpause()
        while True:
            try:
                assert await script.run(["b"], ["in time"]) == [b"b", b"in time"]
                break
            except RedisError:  # this machine is slow
                continue
    finally:
        await script.close()
        await hasty.aclose()


async def test_requests_that_come_during_a_round_trip_share_the_next_one(redis: Redis) -> None:
    admissions = Admissions(redis)

    async def calls() -> int:
        return sum(stat["calls"] for name, stat in (await redis.info("commandstats")).items() if "eval" in name)

    async def ask(number: int) -> int:
        return (await admissions.ask(f"test:limit:{number}", Limit(60, 1), None)).wait_ms

    try:
        assert await ask(0) == 0  # the script is known from now on
        before = await calls()
        first = asyncio.create_task(ask(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # it is on its way
        assert await asyncio.gather(first, *(ask(number) for number in range(2, 200))) == [0] * 199
        assert await calls() - before == 3  # the first one, 128, and the rest
        assert await ask(5) == 0
        assert await ask(5) > 0  # counted one by one all the same
    finally:
        await admissions.close()
        await redis.delete(*(f"test:limit:{number}" for number in range(200)))


async def test_an_outage_is_told_to_all_who_wait() -> None:
    nowhere = open_redis("redis://127.0.0.1:1/0", timeout_s=1)
    admissions = Admissions(nowhere)
    asked = [admissions.ask(f"test:limit:{number}", Limit(60, 1), None) for number in range(3)]
    assert all(isinstance(answer, RedisError) for answer in await asyncio.gather(*asked, return_exceptions=True))
    await admissions.close()
    await nowhere.aclose()
