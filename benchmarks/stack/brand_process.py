"""A process that serves one brand without Ray: `python -m benchmarks.stack.brand_process BRAND PORT`, settings from the
environment. It prints a line when it serves. Once it reads a line, it has the brand's consumers and the background work
of features, too, as a host of the platform does."""

import asyncio
import socket
import sys

import uvicorn

from api.app import create_app
from api.platform import Platform
from brands.catalogue import BRANDS
from cluster.events.redis_log import open_redis_log
from cluster.events.worker import Worker
from cluster.settings import load_settings
from deployments.platform import brand_consumers, open_platform

_RECEIVE_BUFFER = 128 * 1024


async def serve(brand: str, port: int) -> None:
    """Serves until killed."""
    platform = await open_platform(BRANDS[brand], load_settings())
    server = uvicorn.Server(uvicorn.Config(create_app(platform), lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", port)) as listening:
        # Of each connection. What waits in the kernel when this process is killed was never received by it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        # asyncio does this only for sockets that it makes; without, an answer waits 40 ms for the client's next packet.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await _serve(platform, server, listening)


async def _serve(platform: Platform, server: uvicorn.Server, listening: socket.socket) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        print("serving", flush=True)
        if await asyncio.to_thread(sys.stdin.readline):
            await _consume(platform)


async def _consume(platform: Platform) -> None:
    redis_url = platform.settings.redis_url.get_secret_value()
    async with (
        open_redis_log(platform.redis, redis_url, platform.brand) as event_log,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(Worker(brand_consumers(platform), platform.database, event_log).run_with_relay())
        for feature in platform.features:
            if feature.background is not None:
                group.create_task(feature.background(platform))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
