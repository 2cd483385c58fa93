"""`entativa evidence`: shows moderators the uploads that matched the hash list (docs/media.md)."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer

from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.objects import open_objects
from deployments.access_log import note_access
from deployments.accounts import print_json
from deployments.arguments import Brand
from deployments.console import console
from deployments.operator_storage import object_settings, operator_database
from features.media.evidence import content, find, held

app = typer.Typer(no_args_is_help=True, help="Uploads that matched the hash list.")

MediaId = Annotated[UUID, typer.Argument(help="The medium's id, as `list` prints it.")]
Target = Annotated[Path, typer.Argument(help="The file to write. There must be none yet.")]


@app.command(name="list")
def show(brand: Brand) -> None:
    """Print what is held as JSON lines: whose it was, what it is near, and until when it is held."""
    asyncio.run(_list(brand))


@app.command()
def save(brand: Brand, media_id: MediaId, target: Target) -> None:
    """Write what was uploaded to a file that only you can read. It is noted in logs/evidence.log."""
    asyncio.run(_save(brand, media_id, target))


async def _list(brand: str) -> None:
    async with operator_database(brand) as database:
        async for each in held(database):
            print_json(
                {
                    **{"media_id": each.media_id, "account_id": each.account_id, "media_type": each.media_type},
                    **{"size": each.size, "sha256": each.digest.hex(), "entry": each.entry.hex()},
                    **{"distance": each.distance, "held_at": each.held_at, "due_at": each.due_at},
                }
            )


async def _save(brand: str, media_id: UUID, target: Path) -> None:
    settings = object_settings(Installation(sorted(BRANDS)))
    async with operator_database(brand) as database:
        evidence = await find(database, media_id)
    with _private(target) as file:
        note_access(brand, "evidence", media_id=media_id)
        async for chunk in content(evidence, open_objects(settings, brand)):
            file.write(chunk)
    console.print(f"{target}: {evidence.media_type}, {evidence.size} bytes")


@contextlib.contextmanager
def _private(target: Path) -> Iterator[BinaryIO]:
    """Opens a new file that nobody else can read. If it is not written to the end, there is none."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            yield file
        except BaseException:
            target.unlink()
            raise
