"""Exports of the caller's account over HTTP."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import count
from typing import Annotated, Literal

from fastapi import APIRouter, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.deps import Now, PlatformDep, SignedIn, Uow, service
from api.error_codes import raises
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from features.auth.errors import LogInAgain
from features.exports.errors import ExportJustRequested, ExportNotReady, NoSuchExport
from features.exports.model import Export
from features.exports.service import ExportService

router = APIRouter(prefix=VERSION, tags=["accounts"], route_class=TransactionRoute)

ROUTES = Routes((router,))

Exports = Annotated[ExportService, service(ExportService)]

_FILE = {"schema": {"type": "string", "format": "binary"}}


class ExportModel(BaseModel):
    """The latest export of the caller's account."""

    state: Literal["pending", "ready"] = Field(examples=["ready"])
    requested_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])
    expires_at: datetime = Field(description="When it is deleted.", examples=["2026-01-09T03:04:05Z"])
    size: int | None = Field(description="In bytes, once it is ready.", examples=[20480])


@router.post("/account/export", status_code=status.HTTP_202_ACCEPTED)
@raises(LogInAgain, ExportJustRequested)
async def request_export(identity: SignedIn, exports: Exports, uow: Uow, now: Now) -> ExportModel:
    """Request an export of everything that the platform knows about the caller's account. It is made in the background,
    and replaces an older one. This needs a session that has just begun: log in again before."""
    return _render(await exports.request(uow, identity, now))


@router.get("/account/export")
@raises(NoSuchExport)
async def get_export(identity: SignedIn, exports: Exports, uow: Uow, now: Now) -> ExportModel:
    """Get the state of the latest export."""
    return _render(await exports.latest(uow, identity.account_id, now))


@router.get(
    "/account/export/content",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": _FILE}, "description": "A gzip file of JSON lines"}},
)
@raises(LogInAgain, NoSuchExport, ExportNotReady)
async def download_export(
    identity: SignedIn, exports: Exports, uow: Uow, now: Now, platform: PlatformDep
) -> StreamingResponse:
    """Download the latest export: a gzip file of JSON lines, each with the name of a table and one of its rows. This
    needs a session that has just begun: log in again before."""
    export = await exports.open(uow, identity, now)

    async def parts() -> AsyncIterator[bytes]:
        # A unit of work for each: a slow client holds no connection, and the request's own has ended.
        for number in count():
            async with platform.database.unit_of_work(read_only=True) as reading:
                part = await exports.part(reading, export, number)
            if part is None:
                return
            yield part

    headers = {"Content-Disposition": 'attachment; filename="account.jsonl.gz"', "Content-Length": str(export.size)}
    return StreamingResponse(parts(), media_type="application/octet-stream", headers=headers)


def _render(export: Export) -> ExportModel:
    return ExportModel(
        state="pending" if export.ready_at is None else "ready",
        requested_at=export.requested_at,
        expires_at=export.expires_at,
        size=export.size,
    )
