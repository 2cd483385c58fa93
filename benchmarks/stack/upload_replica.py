"""A replica of one brand without Ray: `python -m benchmarks.stack.upload_replica BRAND PORT`, settings from the
environment. It prints a line when it serves."""

import asyncio
import sys

import uvicorn

from api.app import create_app
from brands.catalogue import BRANDS
from cluster.settings import load_settings
from deployments.platform import open_platform


async def serve(brand: str, port: int) -> None:
    """Serves until killed."""
    app = create_app(await open_platform(BRANDS[brand], load_settings()))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print("serving", flush=True)
    await task


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
