"""One process of the stack that realtime.py measures: all session shards, or one realtime host, without Ray around it.

Arguments: role ("shards" or "host"), then a JSON object: redis_url, database, secret, directory, shards (socket of the
shard process; for hosts). Prints the socket, or the URL, when it is ready.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from actors.delivery.listener import PushListener
from actors.realtime.host import RealtimeHost
from actors.runtime import KindContext
from actors.runtime.clock import SYSTEM_CLOCK
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.router import NoControlPlane, Router
from actors.runtime.transport.stream import HostConnection
from actors.sessions import KIND
from actors.sessions.calls import SessionCalls
from actors.sessions.effects import KIND_NAME
from cluster.garbage_collection import collect_garbage_rarely
from cluster.logs import configure_logs
from cluster.postgres import open_database
from cluster.redis import open_redis
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.presence import PresenceAccess
from features.realtime.policy import RealtimePolicy
from features.realtime.store import TicketStore

NODE = "here"
BRAND = "bench"
_SHARDS = "shards"


def open_router(secret: str, shards: str) -> Router:
    """A router that knows one shard process by its Unix socket."""
    router = Router(NoControlPlane(NODE), secret.encode())
    router.follow(MapView(1, {_SHARDS: Endpoint(_SHARDS, NODE, "", shards)}, {KIND_NAME: [_SHARDS] * SHARDS}))
    return router


@dataclass(frozen=True)
class Serving:
    """What a role has started. uvloop ends a server as soon as nobody refers to it."""

    line: str
    """The socket or URL."""
    kept: tuple[object, ...]


async def serve_shards(options: dict[str, Any]) -> Serving:
    """All sessions live here."""
    path = f"{options['directory']}/shards.sock"
    secret = options["secret"].encode()
    database = await open_database(options["database"], pool_size=2)
    context = KindContext(
        brand=BRAND,
        policy=LiveSessionPolicy(),
        database=database,
        redis=open_redis(options["redis_url"]),
        router=open_router(options["secret"], path),
        clock=SYSTEM_CLOCK,
        host=_SHARDS,
        node=NODE,
        secret=secret,
    )
    mailboxes = Mailboxes(_SHARDS, lambda _kind, _shard: _SHARDS)
    mailboxes.add_kind(TurnRunner(KIND, KIND.handler(context)))
    mailboxes.serve_until = float("inf")
    for number in range(SHARDS):
        shard = mailboxes.shard(KIND_NAME, number)
        shard.ownership.mapped(ShardRow(KIND_NAME, number, _SHARDS, 1), _SHARDS)
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)
    connections: set[HostConnection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: HostConnection(secret, mailboxes.deliver, connections), path)
    return Serving(path, (server,))


async def serve_sockets(options: dict[str, Any]) -> Serving:
    """A realtime host."""
    listener = PushListener(options["secret"].encode())
    name = await listener.start(NODE, "127.0.0.1", Path(options["directory"]))
    audience = PresenceAccess(await open_database(options["database"], pool_size=2))
    sessions = SessionCalls(open_router(options["secret"], options["shards"]), audience, timeout=60)
    tickets = TicketStore(open_redis(options["redis_url"], timeout_s=30.0), BRAND)
    host = RealtimeHost(str(name), sessions, tickets, RealtimePolicy(hello_timeout_s=300.0))
    listener.serve(host)
    return Serving(f"ws://127.0.0.1:{await host.start('127.0.0.1')}/realtime", (listener, host))


async def main() -> None:
    collect_garbage_rarely()  # as the actors do
    role, options = sys.argv[1], json.loads(sys.argv[2])
    configure_logs("WARNING", process=role)  # not to standard output, which nobody reads once the process is ready
    serving = await (serve_shards if role == "shards" else serve_sockets)(options)
    print(serving.line, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
