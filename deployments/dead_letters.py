"""`entativa dead-letters`: lists the events that a consumer gave up on, and lets it handle them again."""

import asyncio
import sys
from typing import Annotated

import orjson
import typer

from cluster.events import dead_letters
from deployments.arguments import Brand
from deployments.operator_storage import operator_database

app = typer.Typer(no_args_is_help=True, help="Events that a consumer gave up on.")

Consumer = Annotated[str | None, typer.Option(help="Only those of this consumer.")]


@app.command(name="list")
def show(brand: Brand, consumer: Consumer = None) -> None:
    """Print each as a JSON line: the consumer, why it failed, the event."""

    async def show_all() -> None:
        async with operator_database(brand) as database:
            for letter in await dead_letters.dead_letters(database, consumer):
                line = {
                    "consumer": letter.consumer,
                    "reason": letter.reason,
                    "attempts": letter.attempts,
                    "died_at": letter.died_at,
                    "event": orjson.loads(letter.event.encode()),
                }
                sys.stdout.buffer.write(orjson.dumps(line) + b"\n")

    asyncio.run(show_all())


@app.command()
def retry(brand: Brand, consumer: Consumer = None) -> None:
    """Let the consumers handle them again."""

    async def retry_all() -> int:
        async with operator_database(brand) as database:
            return await dead_letters.requeue(database, consumer)

    sys.stdout.write(f"{asyncio.run(retry_all())} events requeued\n")
