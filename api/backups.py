"""Encrypted backups over HTTP: opaque to the platform. docs/messaging.md says how clients use them."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.base64_fields import Base64
from api.conditional import ConditionalRoute
from api.deps import Now, SignedIn, Uow, service
from api.error_codes import raises
from api.models import Body
from api.routes import VERSION, Routes
from api.streaming import StreamingRoute, body_of
from api.transaction import TransactionRoute
from features.backups.errors import (
    BackupChanged,
    BackupFull,
    EmptySegment,
    NoSuchSegment,
    RepeatedSegment,
    SegmentsMissing,
    SegmentStalled,
    SegmentTooLarge,
    WrongDigest,
)
from features.backups.model import MAX_HEADER_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENTS, Backup
from features.backups.service import BackupService

router = APIRouter(prefix=VERSION, tags=["messaging"], route_class=ConditionalRoute)
content = APIRouter(prefix=VERSION, tags=["messaging"], route_class=TransactionRoute)
uploads = APIRouter(prefix=VERSION, tags=["messaging"], route_class=StreamingRoute)

ROUTES = Routes((router, content, uploads))

Backups = Annotated[BackupService, service(BackupService)]

_UPLOAD_S = 60.0
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_EXAMPLE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Digest = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{64}$",
        max_length=64,
        description="The SHA-256 of the segment, in hexadecimal.",
        examples=[_EXAMPLE],
    ),
]
DigestField = Annotated[
    str,
    Field(pattern="^[0-9a-f]{64}$", max_length=64, description="The SHA-256 of a segment.", examples=[_EXAMPLE]),
]
HeaderField = Annotated[
    bytes,
    Base64(1, MAX_HEADER_BYTES),
    Field(description="Opaque: the recovery key, wrapped in several ways.", examples=["3q2+7w=="]),
]
VersionField = Annotated[int, Field(ge=0, le=2**53 - 1, examples=[3])]


class SegmentModel(BaseModel):
    digest: DigestField
    size: int = Field(ge=1, le=MAX_SEGMENT_BYTES, description="In bytes.", examples=[262_144])


class BackupModel(BaseModel):
    """Your backup. Where there is none, `version` is 0."""

    version: VersionField
    header: HeaderField | None
    segments: list[SegmentModel] = Field(max_length=MAX_SEGMENTS)
    updated_at: datetime | None = Field(examples=["2026-01-02T03:04:05Z"])


class BackupBody(Body):
    """A version of your backup. What it does not name is deleted."""

    based_on: VersionField = Field(description="The version that it follows; 0: there is none.")
    header: HeaderField
    segments: list[DigestField] = Field(max_length=MAX_SEGMENTS, description="Uploaded before; in order.")


class WrittenModel(BaseModel):
    version: VersionField


@router.get("/backup", name="get_backup")
async def get(identity: SignedIn, backups: Backups, uow: Uow) -> BackupModel:
    """Get your backup."""
    return _render(await backups.get(uow, identity.account_id))


@router.put("/backup", name="write_backup")
@raises(RepeatedSegment, SegmentsMissing, BackupChanged)
async def write(body: BackupBody, identity: SignedIn, backups: Backups, uow: Uow, now: Now) -> WrittenModel:
    """Write the next version of your backup, unless another of your devices has: then read it, and write one that
    follows it."""
    digests = [bytes.fromhex(digest) for digest in body.segments]
    version = await backups.write(uow, identity.account_id, body.based_on, body.header, digests, now)
    return WrittenModel(version=version)


@router.delete("/backup", status_code=HTTPStatus.NO_CONTENT, name="delete_backup")
async def delete(identity: SignedIn, backups: Backups, uow: Uow, now: Now) -> None:
    """Delete your backup with all its segments."""
    await backups.delete(uow, identity.account_id, now)


@content.get(
    "/backup/segments/{digest}",
    response_class=Response,
    responses={200: {"content": _BINARY, "description": "The segment"}},
    name="get_backup_segment",
)
@raises(NoSuchSegment)
async def get_segment(digest: Digest, identity: SignedIn, backups: Backups, uow: Uow) -> Response:
    """Get a segment of your backup."""
    data = await backups.read(uow, identity.account_id, bytes.fromhex(digest))
    return Response(data, media_type="application/octet-stream")


@uploads.put(
    "/backup/segments/{digest}",
    status_code=HTTPStatus.NO_CONTENT,
    openapi_extra={"requestBody": {"content": _BINARY, "description": "The segment: at most 512 KiB."}},
    name="upload_backup_segment",
)
@raises(EmptySegment, WrongDigest, SegmentTooLarge, SegmentStalled, BackupFull)
async def upload_segment(digest: Digest, request: Request, identity: SignedIn, backups: Backups, uow: Uow) -> Response:
    """Upload a segment. It never changes; the same one again does nothing. It is deleted after a day if no version of
    the backup names it."""
    await uow.commit()
    await backups.upload(identity.account_id, bytes.fromhex(digest), await _received(request))
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _received(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(_UPLOAD_S):
            async for chunk in body_of(request):
                data += chunk
                if len(data) > MAX_SEGMENT_BYTES:
                    raise SegmentTooLarge(f"A segment has at most {MAX_SEGMENT_BYTES:,} bytes.")
    except TimeoutError:
        raise SegmentStalled from None
    return bytes(data)


def _render(backup: Backup) -> BackupModel:
    return BackupModel(
        version=backup.version,
        header=backup.header or None,
        segments=[SegmentModel(digest=each.digest.hex(), size=each.size) for each in backup.segments],
        updated_at=backup.updated_at,
    )
