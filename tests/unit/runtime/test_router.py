"""A router that is closed, which needs no host."""

from __future__ import annotations

import asyncio

import pytest

from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.transport.router import NoControlPlane, Router

HOST = "host-0.1"


async def test_closing_settles_every_call_and_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    router = Router(NoControlPlane("here"), b"secret", direct=False)
    router.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
    under_way = router.call("kind", "entity", 1, timeout=60)
    await asyncio.sleep(0.01)
    assert not under_way.done()

    await router.close()

    with pytest.raises(HostUnavailable):
        await under_way
    for late in (router.call("kind", "entity", 1), router.call_host(HOST, "what", None, 60)):
        with pytest.raises(HostUnavailable):
            await late
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
