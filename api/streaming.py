"""Routes whose bodies take longer than a transaction may."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api.error_codes import BUSY, INVALID_TEXT, UNAVAILABLE, Raised
from api.platform import Platform
from api.transaction import RouteHandler
from features.media.receiving import BodyBroken


class StreamingRoute(APIRoute):
    """A route with a unit of work for reading, which admits the caller. The route ends it (`commit`) before it receives
    the body, and writes in units of its own."""

    @property
    def declared_errors(self) -> tuple[Raised, ...]:
        return (BUSY, UNAVAILABLE, INVALID_TEXT)

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()

        async def streaming(request: Request) -> Response:
            platform: Platform = request.app.state.platform
            async with platform.database.unit_of_work(read_only=True) as uow:
                request.state.uow = uow
                try:
                    return await handle(request)
                except BodyBroken:
                    return Response(status_code=HTTPStatus.REQUEST_TIMEOUT)  # for the metrics: the client is gone

        return streaming


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """Yields the body as it arrives. Raises BodyBroken if the connection ends before it."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise BodyBroken from None
