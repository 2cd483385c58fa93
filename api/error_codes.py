"""The error codes of every route: `raises` declares them, `codes_of` collects them for the OpenAPI document.

A route declares on its function what only it raises. Its dependencies declare what they raise, and what the request
pipeline raises follows from the route: whether it has input, a body, an Idempotency-Key, a transaction.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from features.errors import (
    ChecksumWrong,
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    RateLimited,
    RequestTimeout,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unreadable,
    UnsupportedMediaType,
)

CHECKSUM_MISMATCH = 460
"""The tus protocol's own status."""

STATUS: dict[type[DomainError], int] = {
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Unreadable: HTTPStatus.BAD_REQUEST,
    RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
    Conflict: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ChecksumWrong: CHECKSUM_MISMATCH,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, order=True)
class ErrorCode:
    """A code of problem+json: its status, and what it means."""

    code: str
    status: int
    meaning: str


def status_of(error: type[DomainError]) -> int:
    """Returns the status of a domain error's response."""
    return next(STATUS[kind] for kind in error.__mro__ if kind in STATUS)


def code_of(error: type[DomainError]) -> ErrorCode:
    """Returns the code of a domain error; its meaning is the docstring."""
    return ErrorCode(error.code, status_of(error), " ".join((error.__doc__ or "").split()))


class TooManyRequests(RateLimited):
    """The account or, without an access token, the network address sends too many requests."""

    code = "rate_limited"
    detail = "Too many requests; wait and try again."


class BadIdempotencyKey(Invalid):
    """An Idempotency-Key has 8 to 255 characters."""

    code = "bad_idempotency_key"
    detail = "An Idempotency-Key has 8 to 255 characters."
    field = "Idempotency-Key"


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used for another request."
    field = "Idempotency-Key"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code = "in_progress"
    detail = "A request with this Idempotency-Key is still running."
    field = "Idempotency-Key"


class DeletedSince(Conflict):
    """What the first request with this Idempotency-Key created has been deleted."""

    code = "deleted_since"
    detail = "What the first request with this Idempotency-Key created has been deleted."
    field = "Idempotency-Key"


NUL_IN_ADDRESS = ErrorCode("nul_in_address", 400, "The address holds a NUL character.")
BAD_REQUEST = ErrorCode("bad_request", 400, "The body cannot be read.")
BAD_JSON = ErrorCode("bad_json", 400, "The body is not valid JSON.")
NOT_FOUND = ErrorCode("not_found", 404, "There is nothing at this address.")
METHOD_NOT_ALLOWED = ErrorCode("method_not_allowed", 405, "The address exists, but not with this method.")
BODY_TOO_LARGE = ErrorCode("body_too_large", 413, "The body has too many bytes.")
INVALID_INPUT = ErrorCode(
    "invalid_input", 422, "A parameter or a member of the body is missing, unknown, or of a wrong type or length."
)
INVALID_TEXT = ErrorCode("invalid_text", 422, "A text holds characters that cannot be stored.")
BUSY = ErrorCode("busy", 429, "Too many requests need the same data, or the same service, at this moment.")
INTERNAL_ERROR = ErrorCode("internal_error", 500, "An internal error; the trace id identifies it in the logs.")
UNAVAILABLE = ErrorCode("unavailable", 503, "A storage service is down.")

OUTSIDE_ROUTES = (NOT_FOUND, METHOD_NOT_ALLOWED, INTERNAL_ERROR)
"""Codes that no route declares."""

Raised = type[DomainError] | ErrorCode
Function = TypeVar("Function", bound=Callable[..., Any])

_DECLARED = "declared_errors"


def raises(*errors: Raised) -> Callable[[Function], Function]:
    """Declares the errors of a route's function or of a dependency."""

    def declare(function: Function) -> Function:
        setattr(function, _DECLARED, errors)
        return function

    return declare


def own_codes(route: APIRoute) -> set[ErrorCode]:
    """Returns the codes that the function of a route declares."""
    return {_code(error) for error in getattr(route.endpoint, _DECLARED, ())}


def codes_of(route: APIRoute) -> set[ErrorCode]:
    """Returns all error codes of a route."""
    declared = {_code(error) for call in _calls(route.dependant) for error in getattr(call, _DECLARED, ())}
    declared |= {_code(error) for error in getattr(route, _DECLARED, ())}
    declared |= {NUL_IN_ADDRESS, BODY_TOO_LARGE}
    if any(_parameters(route.dependant)):
        declared |= {INVALID_INPUT}
    if route.body_field is not None:
        declared |= {INVALID_INPUT, BAD_REQUEST, BAD_JSON}
    return declared


def calls(route: APIRoute, dependency: Callable[..., Any]) -> bool:
    """Returns whether a route depends on a function."""
    return dependency in _calls(route.dependant)


def _code(error: Raised) -> ErrorCode:
    return error if isinstance(error, ErrorCode) else code_of(error)


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for below in dependant.dependencies:
        yield from _calls(below)


def _parameters(dependant: Dependant) -> Iterator[object]:
    yield from dependant.path_params
    yield from dependant.query_params
    yield from dependant.header_params
    for below in dependant.dependencies:
        yield from _parameters(below)
