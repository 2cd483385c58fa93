"""A realtime host whose database cannot be reached yet: it exists, says so, and can be drained."""

import asyncio
from typing import Any

from actors.realtime.actor import RealtimeActor, RealtimeOptions
from cluster.local.processes import free_port


async def test_the_constructor_does_not_wait_for_the_database() -> None:
    """Ray never restarts an actor whose constructor raised, so it must not depend on anything."""
    options = RealtimeOptions(
        brand="test",
        runtime="test",
        database=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        secret="secret",
    )
    actor: Any = RealtimeActor.__new__(RealtimeActor)
    async with asyncio.timeout(60):
        await actor.__init__(options, 0)
        status = await actor.status()
        assert (status["phase"], status["url"], status["sockets"]) == ("starting", "", 0)
        await actor.drain()
    assert (await actor.status())["phase"] == "draining"
    assert actor._main.cancelled()
