"""`entativa videos`: work on videos that an operator asks for."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from uuid import UUID

import typer

from cluster.local.processes import ServiceError
from cluster.settings import Settings
from deployments.arguments import Brand
from deployments.operator_storage import operator_database
from features.videos.transcribing import request_transcripts

app = typer.Typer(no_args_is_help=True, help="Videos.")


@app.callback()
def videos() -> None:
    """Videos."""


@app.command()
def transcribe(brand: Brand) -> None:
    """Send all videos to the transcriber that have sound and no captions: those from before its address was set."""
    if not Settings(_env_file=os.environ.get("ENTATIVA_ENV_FILE")).transcriber_url:
        raise ServiceError("set ENTATIVA_TRANSCRIBER_URL and restart the platform: there is no transcriber")

    async def request() -> int:
        asked, after = 0, UUID(int=0)
        async with operator_database(brand) as database:
            while True:
                async with database.unit_of_work() as uow:
                    after, count = await request_transcripts(uow, after, datetime.now(UTC))
                    await uow.commit()
                if not count:
                    return asked
                asked += count

    sys.stdout.write(f"{asyncio.run(request())} videos wait for the transcriber\n")
