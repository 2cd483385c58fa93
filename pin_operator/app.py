"""The operator over HTTP (ASGI). Bytes are Base64 in JSON; errors are problem documents (RFC 9457) with a `code`.

| request | body | answer |
|---|---|---|
| `GET /v1/pin` | | `{"index", "remaining"}` |
| `PUT /v1/pin` | `{"enrolment"}`: crypto.backup.Enrolment | 204 |
| `DELETE /v1/pin` | | 204 |
| `POST /v1/pin/guesses` | `{"element"}`: the blinded PIN | `{"answer"}`: crypto.backup.Answer |
| `POST /v1/pin/confirmations` | `{"token"}` | 204 |
| `POST /v1/pin/archives` | `{"token", "number"}` | 204 |
"""

import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crypto.backup import Enrolment, GuessesExhausted, StoreRolledBack, WrongSecret
from crypto.backup.guess_limiter import TOKEN_LENGTH
from crypto.errors import CryptoError, DecodeError
from pin_operator.limiter import Limiter, NoPin, WrongOperator
from pin_operator.metrics import REFUSED, UNAVAILABLE
from pin_operator.rate import RequestRate
from pin_operator.sealing import StateRejected
from pin_operator.store import STORE_ERRORS
from pin_operator.tokens import AccessTokens, BadToken, KeysUnavailable

_MAX_BODY = 4_096
_MAX_ARCHIVE = 2**53 - 1
_UNAVAILABLE = (*STORE_ERRORS, KeysUnavailable, StoreRolledBack, StateRejected)

_Handler = Callable[[str, dict[str, Any]], Awaitable[Response]]


class _Problem(Exception):
    def __init__(self, status: int, code: str, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.field, self.retry_after_s = status, code, field, retry_after_s


def create_app(
    limiter: Limiter,
    tokens: AccessTokens,
    rate: RequestRate,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The application of one operator."""

    def route(path: str, method: str, handler: _Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                account = await _account_of(request)
                return await handler(account, await _body_of(request) if method in ("PUT", "POST") else {})
            except _Problem as problem:
                return _render(problem)
            except ClientDisconnect:
                return Response(status_code=408)
            except _UNAVAILABLE:
                UNAVAILABLE.inc()
                return _render(_Problem(503, "operator_unavailable"))

        return Route(path, endpoint, methods=[method])

    async def _account_of(request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise BadToken
            account = await tokens.account_of(token.strip())
        except BadToken:
            REFUSED.labels("token").inc()
            raise _Problem(401, "sign_in_required") from None
        wait = rate.take(account, monotonic())
        if wait > 0:
            REFUSED.labels("rate").inc()
            raise _Problem(429, "too_many_requests", retry_after_s=int(wait) + 1)
        return account

    async def get(account: str, _: dict[str, Any]) -> Response:
        try:
            return JSONResponse({"index": limiter.index, "remaining": await limiter.remaining(account)})
        except NoPin:
            raise _Problem(404, "no_pin") from None

    async def enrol(account: str, body: dict[str, Any]) -> Response:
        try:
            await limiter.enrol(account, Enrolment.decode(_bytes(body, "enrolment")))
        except (DecodeError, WrongOperator):
            raise _invalid("enrolment") from None
        return Response(status_code=204)

    async def forget(account: str, _: dict[str, Any]) -> Response:
        await limiter.forget(account)
        return Response(status_code=204)

    async def guess(account: str, body: dict[str, Any]) -> Response:
        answer = await _stepped("element", limiter.guess(account, _bytes(body, "element")))
        return JSONResponse({"answer": base64.b64encode(answer.encode()).decode()})

    async def confirm(account: str, body: dict[str, Any]) -> Response:
        await _stepped("token", limiter.confirm(account, _bytes(body, "token", TOKEN_LENGTH)))
        return Response(status_code=204)

    async def note_archive(account: str, body: dict[str, Any]) -> Response:
        number = body.get("number")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _MAX_ARCHIVE:
            raise _invalid("number")
        await _stepped("token", limiter.note_archive(account, _bytes(body, "token", TOKEN_LENGTH), number))
        return Response(status_code=204)

    async def health(_: Request) -> Response:
        try:
            await limiter.stores.answers()
        except STORE_ERRORS:
            return Response(status_code=503)
        return Response(status_code=204)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            route("/v1/pin", "GET", get),
            route("/v1/pin", "PUT", enrol),
            route("/v1/pin", "DELETE", forget),
            route("/v1/pin/guesses", "POST", guess),
            route("/v1/pin/confirmations", "POST", confirm),
            route("/v1/pin/archives", "POST", note_archive),
            Route("/health", health),
            Route("/metrics", metrics),
        ],
        exception_handlers={HTTPException: _no_route},
    )


async def _stepped(field: str, step: Awaitable[Any]) -> Any:
    try:
        return await step
    except NoPin:
        raise _Problem(404, "no_pin") from None
    except GuessesExhausted:
        raise _Problem(410, "guesses_exhausted") from None
    except WrongSecret:
        raise _Problem(403, "wrong_token") from None
    except StoreRolledBack:
        raise
    except CryptoError:
        raise _invalid(field) from None


async def _body_of(request: Request) -> dict[str, Any]:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_BODY:
            raise _Problem(413, "body_too_large")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise _invalid(None)
    return body


def _bytes(body: dict[str, Any], field: str, length: int | None = None) -> bytes:
    value = body.get(field)
    try:
        if not isinstance(value, str):
            raise ValueError
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(field) from None
    if length is not None and len(found) != length:
        raise _invalid(field)
    return found


def _invalid(field: str | None) -> _Problem:
    REFUSED.labels("input").inc()
    return _Problem(422, "invalid_input", field)


async def _no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _render(_Problem(error.status_code, "method_not_allowed" if error.status_code == 405 else "not_found"))
    response.headers.update(error.headers or {})
    return response


def _render(problem: _Problem) -> Response:
    body: dict[str, Any] = {"status": problem.status, "code": problem.code, "title": problem.code.replace("_", " ")}
    if problem.field is not None:
        body["errors"] = [{"field": problem.field}]
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return JSONResponse(body, problem.status, headers, media_type="application/problem+json")
