"""Conditional requests (RFC 9110, section 13): an ETag with what is read, and 304 where the client has it already.

The tag is a hash of the body, so the work of a read is done in any case; what is saved is its transfer. A client may
store such a response and must ask again before it uses it.
"""

from hashlib import blake2b
from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response

from api.transaction import RouteHandler, TransactionRoute

CACHE_CONTROL = "private, no-cache"
VARY = "Authorization"


def tag_of(body: bytes) -> str:
    """Returns the ETag of a body."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Returns whether a client that sent this If-None-Match has the body of a tag (by weak comparison)."""
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return "*" in tags or tag in tags


class ConditionalRoute(TransactionRoute):
    """A route whose GET has an ETag and heeds If-None-Match."""

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()
        if "GET" not in (self.methods or ()):
            return handle

        async def conditional(request: Request) -> Response:
            response = await handle(request)
            if response.status_code != HTTPStatus.OK:
                return response
            tag = tag_of(bytes(response.body))
            if matches(request.headers.get("if-none-match", ""), tag):
                kept = {name: value for name, value in response.headers.items() if name == "server-timing"}
                response = Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
            response.headers.update({"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": VARY})
            return response

        return conditional
