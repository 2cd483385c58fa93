"""A process of routers that call one entity as fast as they may. Started by runtime_turns.py.

Arguments: socket of the host, secret, routers, calls of each. Prints "ready", waits for a line on stdin, calls, and
prints how many calls were answered.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from actors.runtime import CallError
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.transport.router import NoControlPlane, Router

KIND = "c"
HOT = "hot"
_CALM = "warm"


def open_router(secret: str, path: str) -> Router:
    """A router that knows one host, by its Unix socket."""
    router = Router(NoControlPlane("here"), secret.encode())
    router.follow(MapView(1, {"h": Endpoint("h", "here", "", path)}, {KIND: ["h"] * SHARDS}))
    return router


async def main() -> None:
    path, secret, routers, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    opened = [open_router(secret, path) for _ in range(routers)]
    await asyncio.gather(*(router.call(KIND, _CALM, 0, 60) for router in opened))
    print("ready", flush=True)
    sys.stdin.readline()
    message = ["say", "x" * 100]
    asked = [router.call(KIND, HOT, message, 60) for _ in range(calls) for router in opened]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    # The entity's inbox is bounded: whatever does not fit is refused.
    print(sum(not isinstance(answer, CallError) for answer in answers), flush=True)
    for router in opened:
        await router.close()


if __name__ == "__main__":
    uvloop.run(main())
