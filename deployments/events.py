"""`entativa events`: how far consumers are behind, and handling the events of a time again."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from brands.catalogue import BRANDS
from cluster.events.redis_log import RedisEventLog
from cluster.events.replay import replay
from cluster.events.trimming import lags
from cluster.local.installation import Installation
from cluster.redis import open_redis
from deployments.arguments import Brand
from deployments.operator_storage import operator_database

app = typer.Typer(no_args_is_help=True, help="The event log and its consumers.")


@app.command()
def lag(brand: Brand) -> None:
    """Print a line for each consumer that is behind: its name, events, age of the oldest in seconds."""

    async def show() -> None:
        async with operator_database(brand) as database:
            for consumer, found in sorted((await lags(database)).items()):
                age = (datetime.now(UTC) - found.since).total_seconds()
                sys.stdout.write(f"{consumer}\t{found.events}\t{age:.0f}\n")

    asyncio.run(show())


@app.command(name="replay")
def replay_since(
    brand: Brand,
    consumer: Annotated[str, typer.Argument(help="The consumer's name.")],
    since: Annotated[datetime, typer.Option(help="UTC, for example 2026-11-25T13:00:00.")],
) -> None:
    """Let one consumer handle everything again that happened since a time. Its effects happen once more."""

    async def send_back() -> int:
        redis = open_redis(Installation(sorted(BRANDS)).environment()["ENTATIVA_REDIS_URL"], timeout_s=10)
        try:
            async with operator_database(brand) as database:
                return await replay(database, RedisEventLog(redis, brand), consumer, since.replace(tzinfo=UTC))
        finally:
            await redis.aclose()

    sys.stdout.write(f"{consumer} begins again in {asyncio.run(send_back())} partitions\n")
