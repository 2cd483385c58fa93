"""`entativa dead-letters`: look at the events that kept failing, and send them round again."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import orjson
import typer

from brands.catalogue import BRANDS
from cluster.event_log import EventLog
from cluster.local.installation import Installation
from cluster.redis import open_redis

app = typer.Typer(no_args_is_help=True, help="Events that a consumer gave up on.")

Brand = Annotated[str, typer.Argument(help="A brand's name.")]


@asynccontextmanager
async def _event_log(brand: str) -> AsyncIterator[EventLog]:
    redis = open_redis(Installation(sorted(BRANDS)).environment()["ENTATIVA_REDIS_URL"])
    try:
        yield EventLog(redis, brand)
    finally:
        await redis.aclose()


@app.command(name="list")
def show(brand: Brand) -> None:
    """Print each as a JSON line: the consumer, why it failed, the event."""

    async def show_all() -> None:
        async with _event_log(brand) as log:
            for letter in await log.read_dead_letters():
                line = {"consumer": letter.group, "reason": letter.reason, "event": orjson.loads(letter.event.encode())}
                sys.stdout.buffer.write(orjson.dumps(line) + b"\n")

    asyncio.run(show_all())


@app.command()
def retry(brand: Brand) -> None:
    """Append them to the event log again; a consumer that has processed one already skips it."""

    async def retry_all() -> int:
        async with _event_log(brand) as log:
            return await log.revive_dead_letters()

    sys.stdout.write(f"{asyncio.run(retry_all())} events appended again\n")
