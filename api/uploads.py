"""Resumable uploads over HTTP: tus 1.0 with creation, creation-with-upload, checksum, expiration, termination and
concatenation (docs/media.md)."""

from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response

from api.deps import SignedIn, Uow, service
from api.error_codes import raises
from api.routes import VERSION as API_VERSION
from api.streaming import StreamingRoute, body_of
from api.transaction import TransactionRoute
from api.tus_headers import (
    BODY_TYPE,
    EXTENSIONS,
    VERSION,
    BadUploadChecksum,
    BadUploadMetadata,
    parse_checksum,
    parse_concat,
    parse_metadata,
)
from api.tus_protocol import PATH, tus_version
from features.media.checksum import ALGORITHMS
from features.media.errors import (
    BadConcatenation,
    BeyondLength,
    EmptyUpload,
    FinalUpload,
    FirstPartTooSmall,
    NoFileType,
    NoSuchUpload,
    NotAnUploadBody,
    OffsetMismatch,
    StorageFull,
    TooManyOpenUploads,
    TooManyParts,
    UploadComplete,
    UploadFenced,
    UploadStalled,
    UploadTooLarge,
    WrongChecksum,
    WrongContent,
)
from features.media.machine import Upload, UploadKind
from features.media.service import MediaService

_MAX_HEADER = 4096


class LengthRequired(EmptyUpload):
    """Upload-Length is missing. (Uploads of unknown length are not supported.)"""

    code = "length_required"
    detail = "Upload-Length is missing."


def _header(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "schema": schema}


def _text(max_length: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": max_length}


_OFFSET = {"Upload-Offset": _header("How many bytes are stored.", {"type": "integer", "minimum": 0})}
_EXPIRES = {"Upload-Expires": _header("When the upload can no longer be continued.", _text(40))}
_STATE = {
    **_OFFSET,
    **_EXPIRES,
    "Upload-Length": _header("How many bytes it has in all.", {"type": "integer", "minimum": 1}),
    "Upload-Metadata": _header("As the client sent it.", _text(_MAX_HEADER)),
    "Upload-Concat": _header("As the client sent it.", _text(_MAX_HEADER)),
}
_LOCATION = {"Location": _header("The address of the upload.", _text(200))}
_SERVER = {
    "Tus-Version": _header("The versions of the protocol.", _text(100)),
    "Tus-Extension": _header("The extensions.", _text(100)),
    "Tus-Max-Size": _header("The largest Upload-Length.", {"type": "integer"}),
    "Tus-Checksum-Algorithm": _header("What Upload-Checksum can be.", _text(100)),
}
_BODY = {
    "requestBody": {
        "content": {BODY_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "description": "Bytes of the file, from Upload-Offset on.",
    }
}

streaming = APIRouter(
    prefix=API_VERSION, tags=["media"], route_class=StreamingRoute, dependencies=[Depends(tus_version)]
)
router = APIRouter(
    prefix=API_VERSION, tags=["media"], route_class=TransactionRoute, dependencies=[Depends(tus_version)]
)
discovery = APIRouter(prefix=API_VERSION, tags=["media"], route_class=StreamingRoute)

Media = Annotated[MediaService, service(MediaService)]
ContentType = Annotated[str | None, Header(include_in_schema=False)]
ContentLength = Annotated[int | None, Header(include_in_schema=False)]
UploadChecksum = Annotated[
    str | None,
    Header(
        max_length=100,
        description="The checksum of this body: an algorithm and its value in Base64.",
        examples=["sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="],
    ),
]

_APPEND_ERRORS = (
    BeyondLength,
    FirstPartTooSmall,
    WrongContent,
    TooManyParts,
    UploadFenced,
    UploadStalled,
    WrongChecksum,
    BadUploadChecksum,
)


@discovery.options("/uploads", status_code=204, responses={204: {"headers": _SERVER}})
async def upload_options(media: Media) -> Response:
    """Ask what the server can do."""
    return Response(
        status_code=204,
        headers={
            "Allow": "OPTIONS, POST",
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(media.policy.max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


@streaming.post(
    "/uploads",
    status_code=201,
    responses={201: {"headers": {**_LOCATION, **_OFFSET, **_EXPIRES}}},
    openapi_extra=_BODY,
)
@raises(
    *_APPEND_ERRORS,
    LengthRequired,
    EmptyUpload,
    UploadTooLarge,
    NoFileType,
    StorageFull,
    TooManyOpenUploads,
    BadConcatenation,
    BadUploadMetadata,
)
async def create_upload(
    request: Request,
    identity: SignedIn,
    media: Media,
    uow: Uow,
    upload_length: Annotated[
        int | None, Header(le=2**53, description="The length of the file in bytes.", examples=[1048576])
    ] = None,
    upload_metadata: Annotated[
        str,
        Header(
            max_length=_MAX_HEADER,
            description="Keys, each with its value in Base64. `filetype` is needed; others come back with HEAD.",
            examples=["filetype aW1hZ2UvanBlZw=="],
        ),
    ] = "",
    upload_concat: Annotated[
        str | None,
        Header(
            max_length=_MAX_HEADER,
            description="`partial`, or `final;` and the addresses of complete partial uploads.",
            examples=["partial"],
        ),
    ] = None,
    upload_checksum: UploadChecksum = None,
    content_type: ContentType = None,
    content_length: ContentLength = None,
) -> Response:
    """Begin an upload, perhaps with its first bytes. A complete upload is a medium with the id of the upload."""
    await uow.commit()
    uploads, account_id = media.uploads, identity.account_id
    file_type = parse_metadata(upload_metadata).get("filetype")
    checksum = parse_checksum(upload_checksum)
    partials = parse_concat(upload_concat)
    if partials is not None:
        assert upload_concat is not None
        upload = await uploads.concatenate(account_id, partials, file_type, upload_metadata, upload_concat)
        return _created(request, upload)
    if upload_length is None:
        raise LengthRequired
    upload = await uploads.create(
        account_id, upload_length, file_type, upload_metadata, partial=upload_concat == "partial"
    )
    if _is_upload_body(content_type) and content_length != 0:
        try:
            upload = await uploads.append(
                account_id, upload.id, 0, body_of(request), announced=content_length, checksum=checksum
            )
        except BaseException:  # a refusal, a broken connection, a cancellation, an outage of storage
            # The client does not learn the address, so nobody can continue it.
            await uploads.abandon(account_id, upload.id)
            raise
    return _created(request, upload)


@router.head("/uploads/{upload_id}", responses={200: {"headers": _STATE}})
@raises(NoSuchUpload)
async def upload_state(upload_id: UUID, identity: SignedIn, media: Media, uow: Uow) -> Response:
    """Ask where an upload stands."""
    upload = await media.uploads.get(uow, identity.account_id, upload_id)
    headers = {**_progress(upload), "Upload-Length": str(upload.length), "Cache-Control": "no-store"}
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    if upload.kind is not UploadKind.WHOLE:
        headers["Upload-Concat"] = upload.concat
    return Response(headers=headers)


@streaming.patch(
    "/uploads/{upload_id}",
    status_code=204,
    responses={204: {"headers": {**_OFFSET, **_EXPIRES}}},
    openapi_extra=_BODY,
)
@raises(*_APPEND_ERRORS, NoSuchUpload, FinalUpload, OffsetMismatch, NotAnUploadBody)
async def append_to_upload(
    upload_id: UUID,
    request: Request,
    identity: SignedIn,
    media: Media,
    uow: Uow,
    upload_offset: Annotated[
        int, Header(ge=0, le=2**53, description="Where the body begins in the file.", examples=[0])
    ],
    upload_checksum: UploadChecksum = None,
    content_type: ContentType = None,
    content_length: ContentLength = None,
) -> Response:
    """Append bytes to an upload. A newer request for the same upload ends this one."""
    await uow.commit()
    if not _is_upload_body(content_type):
        raise NotAnUploadBody
    upload = await media.uploads.append(
        identity.account_id,
        upload_id,
        upload_offset,
        body_of(request),
        announced=content_length,
        checksum=parse_checksum(upload_checksum),
    )
    return Response(status_code=204, headers=_progress(upload))


@router.delete("/uploads/{upload_id}", status_code=204)
@raises(NoSuchUpload, UploadComplete)
async def terminate_upload(upload_id: UUID, identity: SignedIn, media: Media, uow: Uow) -> Response:
    """End an upload that is not complete, and delete what was stored of it."""
    await media.uploads.terminate(uow, identity.account_id, upload_id)
    return Response(status_code=204)


def _is_upload_body(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == BODY_TYPE


def _created(request: Request, upload: Upload) -> Response:
    location = f"{request.scope.get('root_path', '')}{PATH}/{upload.id}"
    return Response(status_code=201, headers={"Location": location, **_progress(upload)})


def _progress(upload: Upload) -> dict[str, str]:
    return {"Upload-Offset": str(upload.received), "Upload-Expires": _http_date(upload.expires_at)}


def _http_date(time: datetime) -> str:
    return format_datetime(time, usegmt=True)
