"""The ASGI middleware around every request: trace, body size limit, unexpected errors, security headers and metrics.

Written without Starlette's BaseHTTPMiddleware, which costs a task and two queues per request.
"""

import time
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.error_codes import BODY_TOO_LARGE, NUL_IN_ADDRESS
from api.errors import problem, render_http_error, render_unexpected
from cluster.metrics import Counter, Histogram
from cluster.trace import current_trace_id, start_trace

REQUESTS = Counter("entativa_http_requests_total", "Requests", ["brand", "method", "route", "status"])
SECONDS = Histogram(
    "entativa_http_request_seconds",
    "Time to respond",
    ["brand", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


@cache
def _measures(brand: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Caches each combination: prometheus_client's own look-up is slower than a small handler."""
    return REQUESTS.labels(brand, method, route, status), SECONDS.labels(brand, route)


_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


_NONE: Mapping[str, int] = MappingProxyType({})


class _TooLarge(HTTPException):
    """The body exceeded the limit while it was read. (FastAPI turns any other error at that point into a 400.)"""

    code = BODY_TOO_LARGE.code

    def __init__(self, limit: int) -> None:
        super().__init__(BODY_TOO_LARGE.status, f"A body has at most {limit} bytes.")


class _BrokenOff(Exception):
    """The response had begun when its request failed."""


class RequestMiddleware:
    """Wraps the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        brand: str,
        max_body_bytes: int,
        streamed: tuple[str, ...] = (),
        large: Mapping[str, int] = _NONE,
    ) -> None:
        self._app = app
        self._large = large
        self._streamed = streamed
        self._brand = brand
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        start_trace(headers.get(b"traceparent", b"").decode("latin-1"))
        trace_id = (current_trace_id() or "").encode()
        status, received, started, responding = 500, 0, time.perf_counter(), False

        path = scope["path"].removeprefix(scope.get("root_path", ""))
        streamed = self._is_streamed(path)
        limit = max(self._max_body_bytes, self._large.get(path, 0))

        async def count_body() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise _TooLarge(limit)
            return message

        async def add_headers(message: Message) -> None:
            nonlocal status, responding
            if message["type"] == "http.response.start":
                responding = True
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                extra = [header for header in _SECURITY_HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *extra, (b"x-trace-id", trace_id)]
            await send(message)

        try:
            refusal = self._refuse(scope, headers, None if streamed else limit)
            if refusal is not None:
                await refusal(scope, receive, add_headers)
            else:
                await self._app(scope, receive if streamed else count_body, add_headers)
        except Exception as error:  # noqa: BLE001 - not raised again: the server would log it once more, with its values
            response = render_unexpected(error, self._brand)
            if responding:  # the server must cut the connection, so that the client notices
                raise _BrokenOff from None
            await response(scope, receive, add_headers)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            requests, seconds = _measures(self._brand, scope["method"], route, status)
            requests.inc()
            seconds.observe(time.perf_counter() - started)

    def _is_streamed(self, path: str) -> bool:
        return any(path == below or path.startswith(f"{below}/") for below in self._streamed)

    def _refuse(self, scope: Scope, headers: dict[bytes, bytes], limit: int | None) -> ASGIApp | None:
        length = headers.get(b"content-length", b"0")
        if limit is not None and length.isdigit() and int(length) > limit:
            return render_http_error(_TooLarge(limit), self._brand)
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            return problem(self._brand, NUL_IN_ADDRESS)
        return None
