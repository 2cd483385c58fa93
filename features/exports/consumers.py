"""Makes exports: gzip of JSON lines, each with the name of a table and one of its rows."""

import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

import orjson

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.events import consumer
from features.exports import store
from features.exports.events import ExportRequested
from features.exports.policy import ExportPolicy
from features.feature import ExportedRow, Feature
from features.life_cycle import export_account

_GZIP = 16 + zlib.MAX_WBITS


def consumers(features: Sequence[Feature], policy: ExportPolicy, now: Callable[[], datetime]) -> list[Consumer]:
    """Returns the consumers of this slice. Exported is what the features know."""

    async def make(uow: UnitOfWork, event: ExportRequested) -> None:
        # In one transaction: an attempt that fails leaves nothing.
        if not await store.lock_unmade(uow, event.export_id):
            return
        number = 0
        async for part in _compressed(export_account(uow, features, event.account_id), policy.part_bytes):
            await store.insert_part(uow, event.export_id, number, part)
            number += 1
        made = now()
        await store.set_ready(uow, event.export_id, made, made + policy.lifetime)

    return [
        consumer(
            "exports.make",
            (ExportRequested,),
            make,
            outside=True,
            concurrency=2,
            retry_after=timedelta(seconds=10),
        )
    ]


async def _compressed(rows: AsyncIterator[ExportedRow], part_bytes: int) -> AsyncIterator[bytes]:
    """Yields one gzip file in parts of about this size."""
    gzip = zlib.compressobj(wbits=_GZIP)
    part = bytearray()
    async for table, row in rows:
        part += gzip.compress(orjson.dumps({"table": table, "row": dict(row)}, default=str) + b"\n")
        if len(part) >= part_bytes:
            yield bytes(part)
            part.clear()
    part += gzip.flush()
    yield bytes(part)
