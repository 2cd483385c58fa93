"""Responses with content: whole, a range of it, or nothing where the client has it."""

from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Header
from starlette.responses import Response, StreamingResponse

from api.byte_range import parse_range
from api.conditional import matches

Range = Annotated[str | None, Header(max_length=200, description="One range of bytes.", examples=["bytes=0-1023"])]
IfRange = Annotated[str | None, Header(max_length=200, examples=['"4f2c6a1d0b9e8c7a5b3d2e1f"'])]
IfNoneMatch = Annotated[str | None, Header(max_length=1000, examples=['"4f2c6a1d0b9e8c7a5b3d2e1f"'])]


async def respond_with_content(
    read: Callable[[int, int], AsyncIterator[bytes]],
    media_type: str,
    size: int,
    tag: str,
    range: str | None,
    if_range: str | None,
    if_none_match: str | None,
) -> Response:
    """Returns the response to a request for content. `read` yields it from one offset to before another; `tag` is its
    ETag. Raises RangeNotSatisfiable, and what the first step of `read` raises."""
    # Whatever a file is, a browser must not run it as a page of ours.
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Security-Policy": "default-src 'none'; sandbox"}
    if matches(if_none_match or "", tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    wanted = parse_range(range, size) if if_range in (None, tag) else None
    start, end = wanted or (0, size)
    headers["Content-Length"] = str(end - start)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    chunks = read(start, end)
    first = await anext(chunks)  # an outage of storage is an error now, and a broken response later
    return StreamingResponse(
        _from(first, chunks),
        HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT,
        headers,
        media_type,
    )


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
