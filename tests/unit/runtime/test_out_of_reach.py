"""Calls to a host that is out of reach: who has another source for the answer does not wait."""

from __future__ import annotations

import asyncio
import struct

import pytest

from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.transport.acknowledgements import SILENCE_SECONDS, Acknowledgements
from actors.runtime.transport.link import Link
from actors.runtime.transport.reads import read
from actors.runtime.transport.router import NoControlPlane, Router

HERE, GONE = "host-0.1", "host-1.1"


class Connection:
    """A socket of which the test says what its peer's kernel has acknowledged."""

    def __init__(self) -> None:
        self.unacknowledged = 0
        self.acknowledged_at = 0.0
        self.now = 100.0

    def getsockopt(self, _level: int, _option: int, size: int) -> bytes:
        ago = round((self.now - self.acknowledged_at) * 1000)
        return struct.pack("=24xI28xI", self.unacknowledged, ago)[:size]


def overdue_from(connection: Connection, acknowledgements: Acknowledgements, seconds: float) -> float | None:
    """After how many seconds, looking every 25 ms, it is overdue; None: not within `seconds`."""
    begun = connection.now
    while connection.now < begun + seconds:
        if acknowledgements.overdue(connection.now):
            return connection.now - begun
        connection.now += 0.025
    return None


def test_a_kernel_that_acknowledges_nothing_is_gone_and_one_that_does_is_not() -> None:
    connection = Connection()
    acknowledgements = Acknowledgements(connection)
    assert overdue_from(connection, acknowledgements, 60) is None, "nothing is on its way"
    connection.unacknowledged = 1
    after = overdue_from(connection, acknowledgements, 60)
    assert after is not None
    assert after == pytest.approx(SILENCE_SECONDS), "it was idle for a minute, which is no silence"
    assert acknowledgements.overdue(connection.now + 5), "for as long as it lasts"
    connection.unacknowledged = 0
    assert not acknowledgements.overdue(connection.now)


def test_a_connection_that_always_has_something_on_its_way_is_not_gone() -> None:
    connection = Connection()
    acknowledgements = Acknowledgements(connection)
    connection.unacknowledged = 5
    for _ in range(100):
        connection.acknowledged_at = connection.now
        connection.now += 0.1
        assert not acknowledgements.overdue(connection.now)


class OneGone(Router):
    """A router whose map has one host, which refuses connections. Others do not answer its dials."""

    def __init__(self) -> None:
        super().__init__(NoControlPlane("here"), b"secret")
        self._links._open = self._open  # type: ignore[method-assign]
        self.follow(MapView(1, {GONE: Endpoint(GONE, "there", "", "")}, {"kind": [GONE] * SHARDS}))

    async def _open(self, host: str, endpoint: Endpoint) -> Link:
        if host == GONE:
            raise ConnectionRefusedError(host)
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_read_of_a_host_that_is_out_of_reach_fails_at_once_and_a_call_waits_for_the_next_owner() -> None:
    router = OneGone()
    waits = router.call("kind", "entity", 1, timeout=100)
    with pytest.raises(HostUnavailable, match="out of reach"):
        await asyncio.wait_for(router.call("kind", "entity", 1, timeout=100, patient=False), 60)
    assert not waits.done()
    # Now it is known: nothing is sent any more.
    in_flight = router.in_flight
    refused = router.call("kind", "entity", 1, timeout=100, patient=False)
    assert refused.done()
    with pytest.raises(HostUnavailable, match="out of reach"):
        await refused
    assert await read(router, "kind", ["entity", "other"], "x", 100) == [None, None]
    assert router.in_flight == in_flight
    router.follow(MapView(2, {HERE: Endpoint(HERE, "there", "", "")}, {"kind": [HERE] * SHARDS}))
    pending = router.call("kind", "entity", 1, timeout=100, patient=False)
    assert not pending.done(), "of the next owner nothing is known yet"
    assert not waits.done()
    await router.close()
    for call in (waits, pending):
        with pytest.raises(HostUnavailable):
            await call
