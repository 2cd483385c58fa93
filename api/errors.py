"""The only place where an error becomes a response: problem+json (RFC 9457).

Members: ``type`` (a URN of the brand and the code), ``title``, ``status``, ``detail``, ``code``, ``trace_id``
and, where input was wrong, ``errors``: a list of ``{"field", "code", "message"}``; where a change was based on an older
version, ``current``.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.deps import limit_address
from api.error_codes import (
    BAD_JSON,
    BAD_REQUEST,
    BUSY,
    INTERNAL_ERROR,
    INVALID_INPUT,
    INVALID_TEXT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    ErrorCode,
    status_of,
)
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.storage_errors import POSTGRES_BUSY, STORAGE_UNAVAILABLE, UNSTORABLE_TEXT
from cluster.trace import current_trace_id
from features.errors import Conflict, DomainError, RateLimited, Unauthenticated, Unavailable

log = logger(__name__)

UNEXPECTED = Counter("entativa_unexpected_errors_total", "Requests that ended in an internal error")

BUSY_REQUESTS = Counter("entativa_busy_total", "Requests refused since connections or rows stayed in use", ["error"])

MEDIA_TYPE = "application/problem+json"
_MAX_DETAIL = 1000
_MAX_ERRORS = 20
_RETRY_UNAVAILABLE = "2"

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    460: "Checksum Mismatch",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""The names of RFC 9110. Not those of `http.HTTPStatus`: Python 3.13 changed some."""

_OF_THE_FRAMEWORK = {code.status: code for code in (BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED)}


class FieldProblemModel(BaseModel):
    """One invalid input."""

    field: str = Field(max_length=200, examples=["text"])
    code: str = Field(max_length=100, examples=["string_too_long"])
    message: str = Field(max_length=_MAX_DETAIL, examples=["String should have at most 10000 characters"])


class ProblemModel(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:entativa:problem:not_found",
                "title": "Not Found",
                "status": 404,
                "detail": "There is no such post.",
                "code": "not_found",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            }
        }
    )

    type: str = Field(max_length=200)
    title: str = Field(max_length=100)
    status: int
    detail: str = Field(max_length=_MAX_DETAIL)
    code: str = Field(max_length=100)
    trace_id: Annotated[str, Field(max_length=32)] | None = None
    errors: Annotated[list[FieldProblemModel], Field(max_length=_MAX_ERRORS)] | None = None
    current: dict[str, Any] | None = Field(
        default=None, description="The present state, where a change was based on an older version of it."
    )


def problem(
    brand: str,
    code: ErrorCode,
    detail: str = "",
    *,
    errors: Sequence[dict[str, Any]] = (),
    current: Mapping[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Returns a problem+json response. `detail` replaces the meaning of the code."""
    body: dict[str, Any] = {
        "type": f"urn:{brand}:problem:{code.code}",
        "title": _TITLES.get(code.status, f"HTTP {code.status}"),
        "status": code.status,
        "detail": (detail or code.meaning)[:_MAX_DETAIL],
        "code": code.code,
        "trace_id": current_trace_id(),
    }
    if errors:
        body["errors"] = errors
    if current is not None:
        body["current"] = current
    return Response(orjson.dumps(body), status_code=code.status, media_type=MEDIA_TYPE, headers=headers)


def render_domain_error(error: DomainError, brand: str) -> Response:
    """Returns the response of a domain error."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unavailable):
        headers["Retry-After"] = _RETRY_UNAVAILABLE
    place = _printable(error.field or "")
    fields = [{"field": place, "code": error.code, "message": error.detail[:_MAX_DETAIL]}] if place else []
    code = ErrorCode(error.code, status_of(type(error)), "")
    current = error.current if isinstance(error, Conflict) else None
    return problem(brand, code, error.detail, errors=fields, current=current, headers=headers)


def _printable(name: str) -> str:
    """Escapes lone surrogates, which JSON allows in a member's name and UTF-8 cannot encode."""
    return name.encode("utf-8", "backslashreplace").decode()[:200]


def _render_validation_error(error: RequestValidationError, brand: str) -> Response:
    fields = [
        {
            "field": _printable(".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])),
            "code": item["type"],
            "message": item["msg"][:_MAX_DETAIL],
        }
        for item in error.errors()[:_MAX_ERRORS]
    ]
    if any(item["code"] == "json_invalid" for item in fields):
        return problem(brand, BAD_JSON, errors=fields)
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in fields[:3])
    return problem(brand, INVALID_INPUT, detail, errors=fields)


def render_http_error(error: HTTPException, brand: str) -> Response:
    """Returns the response of an error of the framework. Its `code`, if it has one, replaces that of the status."""
    status = error.status_code
    known = _OF_THE_FRAMEWORK.get(status)
    code = getattr(error, "code", known.code if known else f"http_{status}")
    return problem(brand, ErrorCode(code, status, ""), str(error.detail), headers=dict(error.headers or {}))


def render_unexpected(error: Exception, brand: str) -> Response:
    """Logs and counts an exception that nothing has handled. Returns its response."""
    UNEXPECTED.inc()
    log.error("unexpected error", exc_info=error)
    return problem(brand, INTERNAL_ERROR)


def add_error_handlers(app: FastAPI, brand: str) -> None:
    """Makes every error of a brand's application a problem+json response. Exceptions that have no handler here go on
    to RequestMiddleware: Starlette would handle them outside of it, where their responses get none of its headers."""

    async def domain(_: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)
        return render_domain_error(error, brand)

    async def validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _render_validation_error(error, brand)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
            # No route has counted this request. (A route's own not-found is a DomainError.)
            try:
                await limit_address(request)
            except RateLimited as refusal:
                return render_domain_error(refusal, brand)
        return render_http_error(error, brand)

    async def storage(_: Request, error: Exception) -> Response:
        log.warning("storage unavailable", error=type(error).__name__)
        return problem(brand, UNAVAILABLE, headers={"Retry-After": _RETRY_UNAVAILABLE})

    async def busy(_: Request, error: Exception) -> Response:
        BUSY_REQUESTS.labels(type(error).__name__).inc()
        return problem(brand, BUSY, headers={"Retry-After": "1"})

    async def text(_: Request, __: Exception) -> Response:
        return problem(brand, INVALID_TEXT)

    app.add_exception_handler(DomainError, domain)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    for in_use in POSTGRES_BUSY:
        app.add_exception_handler(in_use, busy)
    for unavailable in STORAGE_UNAVAILABLE:
        app.add_exception_handler(unavailable, storage)
    for unstorable in UNSTORABLE_TEXT:
        app.add_exception_handler(unstorable, text)
