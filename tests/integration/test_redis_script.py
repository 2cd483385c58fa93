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
        (verdict,) = await admissions.ask({f"test:limit:{number}": Limit(60, 1)}, None)
        return verdict.wait_ms

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
        before = await calls()
        used, unused = await admissions.ask({"test:limit:5": Limit(60, 1), "test:limit:200": Limit(60, 1)}, None)
        assert used.wait_ms > 0
        assert unused.wait_ms == 0
        assert await calls() - before == 1, "limits of one request share a round trip, too"
    finally:
        await admissions.close()
        await redis.delete(*(f"test:limit:{number}" for number in range(201)))


async def test_an_outage_is_told_to_all_who_wait() -> None:
    nowhere = open_redis("redis://127.0.0.1:1/0", timeout_s=1)
    admissions = Admissions(nowhere)
    asked = [admissions.ask({f"test:limit:{number}": Limit(60, 1)}, None) for number in range(3)]
    asked.append(admissions.ask({"test:limit:3": Limit(60, 1), "test:limit:4": Limit(60, 1)}, None))
    assert all(isinstance(answer, RedisError) for answer in await asyncio.gather(*asked, return_exceptions=True))
    await admissions.close()
    await nowhere.aclose()


@pytest.fixture
async def stuck() -> AsyncIterator[tuple[Redis, list[asyncio.StreamWriter]]]:
    """A client of a Redis that takes connections and never answers, and its connections so far."""
    connections = list[asyncio.StreamWriter]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    client = open_redis(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", timeout_s=2)
    yield client, connections
    await client.aclose()
    server.close()
    await server.wait_closed()


async def _connected(connections: list[asyncio.StreamWriter]) -> None:
    async with asyncio.timeout(60):
        while not connections:
            await asyncio.sleep(0.01)


async def test_no_request_waits_for_a_stuck_redis_longer_than_one_call(
    stuck: tuple[Redis, list[asyncio.StreamWriter]],
) -> None:
    """One call after another would have the last of many wait for minutes, where there are to be no limits."""
    client, connections = stuck
    admissions = Admissions(client)
    first = asyncio.create_task(admissions.ask({"test:limit:0": Limit(60, 1)}, None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its call is on its way
    others = [admissions.ask({f"test:limit:{number}": Limit(60, 1)}, None) for number in range(1, 300)]
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert all(isinstance(answer, RedisError) for answer in answers)
    assert len(connections) == 1, "more than one call"
    await admissions.close()


async def test_a_close_ends_calls_under_way_and_opens_no_other_connection(
    stuck: tuple[Redis, list[asyncio.StreamWriter]],
) -> None:
    client, connections = stuck
    admissions = Admissions(client)
    asked = [asyncio.create_task(admissions.ask({"test:limit": Limit(60, 1)}, None)) for _ in range(200)]
    await _connected(connections)
    await admissions.close()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, RedisError) for answer in answers)
    assert len(connections) == 1
    await admissions.close()


class _Unreadable:
    """A follower of a stream that cannot take what it reads."""

    stream, max_read, last = "test:stream", 1, b"0-0"
    has_lost = False

    def take(self, after: bytes | None, entries: object) -> None:
        raise ValueError("an entry of another version")

    def lost(self) -> None:
        self.has_lost = True


async def test_requests_learn_of_any_error(redis: Redis) -> None:
    """Else they would wait for ever."""
    reader = _Unreadable()
    admissions = Admissions(redis, reader)
    try:
        async with asyncio.timeout(60):
            with pytest.raises(ValueError, match="another version"):
                await admissions.ask({"test:limit:read": Limit(60, 1)}, None)
        assert reader.has_lost
    finally:
        await admissions.close()
        await redis.delete("test:limit:read")
