"""A lease is renewed whatever else goes on at the database; and when that falls silent, every attempt has an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from actors.runtime.store.rows import DATABASE_ERRORS, HostRow
from actors.runtime.store.shard_store import ShardStore
from tests.cluster.conftest import RunningRuntime, eventually
from tests.cluster.runtime.books import append

LEASE = 0.2
ROW = HostRow("host-0.1", "host-0", "node", "127.0.0.1:1", "/tmp/x", False, {})


def _message(kind: bytes, *fields: bytes) -> bytes:
    body = b"".join(fields)
    return kind + (len(body) + 4).to_bytes(4, "big") + body


GREETING = b"".join(
    (
        _message(b"R", bytes(4)),
        _message(b"S", b"server_version\0", b"16.0\0"),
        _message(b"K", bytes(8)),
        _message(b"Z", b"I"),
    )
)


class SilentPostgres:
    """Lets clients in and answers no statement, as a server does that was cut off once they were in."""

    def __init__(self) -> None:
        self.let_in = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        length = int.from_bytes(await reader.readexactly(4), "big")
        startup = await reader.readexactly(length - 4)
        if startup.startswith((3 << 16).to_bytes(4, "big")):  # and no request to cancel
            self.let_in += 1
            writer.write(GREETING)

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def postgres() -> AsyncIterator[tuple[SilentPostgres, str]]:
    silent = SilentPostgres()
    server = await asyncio.start_server(silent.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield silent, f"postgresql://u:p@127.0.0.1:{port}/d?sslmode=disable"
    silent.close()
    server.close()


@pytest.mark.parametrize("what", ["register", "heartbeat", "lead"])
async def test_an_attempt_ends_with_the_lease_however_silent_the_database_is(
    postgres: tuple[SilentPostgres, str], what: str
) -> None:
    _, address = postgres
    store = await ShardStore.open(address, application="host-0", max_connections=2)
    attempts: dict[str, Coroutine[Any, Any, Any]] = {
        "register": store.register(ROW, LEASE),
        "heartbeat": store.heartbeat(ROW.host, LEASE, {}),
        "lead": store.lead("c", LEASE),
    }
    attempt = asyncio.ensure_future(store.with_timeout(LEASE, attempts.pop(what)))
    for other in attempts.values():
        other.close()
    for _ in range(500):  # pauses of 10 ms, not seconds: a stall of this process is one of them
        if attempt.done():
            break
        await asyncio.sleep(0.01)
    assert attempt.done(), "asyncpg waits 12 s for a cancellation"
    with pytest.raises(TimeoutError):
        attempt.result()
    await store.close()


async def test_what_waits_for_a_silent_database_meanwhile_is_cut_off_and_the_next_attempt_connects_anew(
    postgres: tuple[SilentPostgres, str],
) -> None:
    silent, address = postgres
    store = await ShardStore.open(address, application="host-0", max_connections=2)
    sync = asyncio.ensure_future(store.shard_map())
    with pytest.raises(TimeoutError):
        await store.with_timeout(LEASE, store.heartbeat(ROW.host, LEASE, {}))
    async with asyncio.timeout(60):
        with pytest.raises(DATABASE_ERRORS):
            await sync
    before = silent.let_in

    async def connects_anew() -> bool:
        with pytest.raises(TimeoutError):
            await store.with_timeout(LEASE, store.heartbeat(ROW.host, LEASE, {}))
        return silent.let_in == before + 1  # none if this process stalls for longer than the lease

    await eventually(connects_anew)
    await store.close()


async def test_hosts_whose_entities_write_more_than_the_database_takes_keep_their_leases(
    runtime: RunningRuntime,
) -> None:
    async def write_without_pause(book: str) -> None:
        for n in range(12):
            await append(runtime.router, f"{book}-{n}", f"{book}-{n}", slowly=True, timeout=100)

    # A host that stalls for longer than its lease, as one may on a busy machine, loses it all the same.
    for burst in range(5):
        await eventually(lambda: runtime.settled(2))
        before = {row.host for row in await runtime.hosts()}
        # A transaction takes half a second, and both of a host are always busy: for several leases.
        await asyncio.gather(*(write_without_pause(f"burst{burst}-{n}") for n in range(8)))
        assert await runtime.lines(f"burst{burst}-") == {
            f"burst{burst}-{m}-{n}": 1 for m in range(8) for n in range(12)
        }
        if {row.host for row in await runtime.hosts()} == before:
            return
    raise AssertionError("a host lost its lease in each of five bursts")
