"""Attachments of messages over HTTP: opaque to the platform. docs/messaging.md says how clients use them."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.byte_range import RANGE_NOT_SATISFIABLE
from api.conditional import ConditionalRoute
from api.content import IfNoneMatch, IfRange, Range, respond_with_content
from api.deps import Now, SignedIn, Uow, service
from api.error_codes import raises
from api.models import Body
from api.routes import VERSION, Routes
from api.streaming import StreamingRoute, body_of
from api.transaction import TransactionRoute, located
from features.attachments.errors import (
    AttachmentsFull,
    AttachmentTooLarge,
    NoSuchAttachment,
    PartOutOfOrder,
    PartStalled,
    WrongPartSize,
)
from features.attachments.model import PART_BYTES, Attachment
from features.attachments.service import AttachmentService

router = APIRouter(prefix=VERSION, tags=["messaging"], route_class=ConditionalRoute)
content = APIRouter(prefix=VERSION, tags=["messaging"], route_class=TransactionRoute)
uploads = APIRouter(prefix=VERSION, tags=["messaging"], route_class=StreamingRoute)

ROUTES = Routes((router, content, uploads))

Attachments = Annotated[AttachmentService, service(AttachmentService)]

_UPLOAD_S = 60.0
_MAX_NUMBER = 2**31 - 1
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of the ciphertext", "content": _BINARY},
    206: {"description": "The range that was asked for", "content": _BINARY},
    304: {"description": "The client has it"},
}

AttachmentId = Annotated[UUID, Path(examples=["3e0b1c52-8d4f-4a6b-9c7e-52f1d0a9b8c7"])]
PartNumber = Annotated[int, Path(ge=0, le=_MAX_NUMBER, description="From 0.", examples=[0])]
Size = Annotated[int, Field(ge=1, le=2**53 - 1, description="Of the ciphertext, in bytes.", examples=[524_544])]


class EncryptedAttachmentBody(Body):
    """An attachment that you are about to upload."""

    size: Size


class EncryptedAttachmentModel(BaseModel):
    """An attachment that you upload. Its id is secret: whoever knows it can read the ciphertext."""

    id: UUID = Field(examples=["3e0b1c52-8d4f-4a6b-9c7e-52f1d0a9b8c7"])
    size: Size
    received: int = Field(ge=0, le=2**53 - 1, description="How many bytes have arrived.", examples=[524_544])
    part_size: int = Field(
        ge=1, le=2**31 - 1, description="The bytes of each part but the last.", examples=[PART_BYTES]
    )
    expires_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])


@router.post("/attachments", status_code=HTTPStatus.CREATED, name="begin_attachment")
@raises(AttachmentTooLarge, AttachmentsFull)
@located("/attachments/{id}")
async def begin(
    body: EncryptedAttachmentBody, identity: SignedIn, attachments: Attachments, uow: Uow, now: Now
) -> EncryptedAttachmentModel:
    """Begin an attachment. Then send its parts in order."""
    return _render(await attachments.begin(uow, identity.account_id, body.size, now))


@router.get("/attachments/{attachment_id}", name="get_attachment")
@raises(NoSuchAttachment)
async def get(
    attachment_id: AttachmentId, identity: SignedIn, attachments: Attachments, uow: Uow, now: Now
) -> EncryptedAttachmentModel:
    """See how much of an attachment of yours has arrived, to go on with it."""
    return _render(await attachments.get(uow, identity.account_id, attachment_id, now))


@router.delete("/attachments/{attachment_id}", status_code=HTTPStatus.NO_CONTENT, name="delete_attachment")
@raises(NoSuchAttachment)
async def delete(attachment_id: AttachmentId, identity: SignedIn, attachments: Attachments, uow: Uow, now: Now) -> None:
    """Delete an attachment of yours: nobody can read it any more."""
    await attachments.delete(uow, identity.account_id, attachment_id, now)


@uploads.put(
    "/attachments/{attachment_id}/parts/{number}",
    openapi_extra={"requestBody": {"content": _BINARY, "description": "The part: `part_size` bytes, or the rest."}},
    name="upload_attachment_part",
)
@raises(NoSuchAttachment, PartOutOfOrder, WrongPartSize, PartStalled)
async def upload_part(
    attachment_id: AttachmentId,
    number: PartNumber,
    request: Request,
    identity: SignedIn,
    attachments: Attachments,
    uow: Uow,
) -> EncryptedAttachmentModel:
    """Upload a part. One that has arrived stays as it is, so a request can be repeated."""
    await uow.commit()
    data = await _received(request)
    return _render(await attachments.receive(identity.account_id, attachment_id, number, data))


@content.get(
    "/attachments/{attachment_id}/content", response_class=Response, responses=_CONTENT, name="get_attachment_content"
)
@raises(NoSuchAttachment, RANGE_NOT_SATISFIABLE)
async def get_content(
    attachment_id: AttachmentId,
    identity: SignedIn,
    attachments: Attachments,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a complete attachment, anybody's, or a range of it."""
    found = await attachments.get_readable(uow, attachment_id, now)
    return await respond_with_content(
        lambda start, end: attachments.read(found, start, end),
        "application/octet-stream",
        found.size,
        '"complete"',  # it never changes
        range,
        if_range,
        if_none_match,
    )


async def _received(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(_UPLOAD_S):
            async for chunk in body_of(request):
                data += chunk
                if len(data) > PART_BYTES:
                    raise WrongPartSize(f"A part has at most {PART_BYTES:,} bytes.")
    except TimeoutError:
        raise PartStalled from None
    return bytes(data)


def _render(attachment: Attachment) -> EncryptedAttachmentModel:
    return EncryptedAttachmentModel(
        id=attachment.id,
        size=attachment.size,
        received=attachment.received,
        part_size=PART_BYTES,
        expires_at=attachment.expires_at,
    )
