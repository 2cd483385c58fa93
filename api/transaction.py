"""One transaction per request, committed here; a POST with an Idempotency-Key is executed once.

(Log-in alone commits its attempt earlier, features/auth/log_in.py.) The key's row is written by the same transaction as
the work. A second request with the same key waits for that row (by Postgres' unique index), then gets the first
response; with another body it gets 422.
Draft: the IETF HTTPAPI working group's "The Idempotency-Key HTTP Header Field".
"""

import hmac
from collections.abc import Callable, Coroutine
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from api.deps import admit, bearer
from api.error_codes import (
    BUSY,
    INVALID_TEXT,
    UNAVAILABLE,
    BadIdempotencyKey,
    DeletedSince,
    IdempotencyKeyReused,
    Raised,
    StillRunning,
)
from api.platform import Platform
from api.routes import VERSION
from cluster.postgres import UnitOfWork
from features.errors import DomainError

KEY_HEADER = "Idempotency-Key"
_KEY_ERRORS = (BadIdempotencyKey, IdempotencyKeyReused, StillRunning, DeletedSince)
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_CLAIM = """
insert into idempotency_keys (scope, key, fingerprint, created_at) values ($1, $2, $3, $4)
on conflict do nothing returning key
"""
_FIND = "select fingerprint, status, body from idempotency_keys where scope = $1 and key = $2"
_KEEP = "update idempotency_keys set status = $3, body = $4, created_id = $5 where scope = $1 and key = $2"
_FORGET = "update idempotency_keys set body = null where scope = $1 and created_id = $2"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_LOCATION = "location"

RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


def located(template: str) -> Callable[[Endpoint], Endpoint]:
    """Declares where a route's new resource is: the Location header of its 201, from the members of the body."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _LOCATION, template)
        return endpoint

    return declare


def location_of(route: APIRoute) -> str | None:
    """Returns the template that `located` declared."""
    template: str | None = getattr(route.endpoint, _LOCATION, None)
    return template


class TransactionRoute(APIRoute):
    """A route that runs in a unit of work. Routers of features use it as their `route_class`."""

    idempotent = True

    @property
    def declared_errors(self) -> tuple[Raised, ...]:
        """The errors of the transaction and of the Idempotency-Key."""
        keyed = self.idempotent and "POST" in (self.methods or ())
        return (BUSY, UNAVAILABLE, INVALID_TEXT, *(_KEY_ERRORS if keyed else ()))

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()
        location = location_of(self)

        async def in_transaction(request: Request) -> Response:
            platform: Platform = request.app.state.platform
            async with platform.database.unit_of_work(read_only=request.method in READING) as uow:
                request.state.uow = uow
                try:
                    response = await self._once(request, uow, handle, platform)
                except DomainError as error:
                    if error.keeps_writes:
                        await uow.commit()
                    raise
                await uow.commit()
            if location is not None and response.status_code == HTTPStatus.CREATED:
                path = location.format_map(orjson.loads(bytes(response.body)))
                response.headers["Location"] = f"{request.scope.get('root_path', '')}{VERSION}{path}"
            if platform.settings.server_timing:
                response.headers["Server-Timing"] = f'sql;desc="{uow.statements}"'
            return response

        return in_transaction

    async def _once(self, request: Request, uow: UnitOfWork, handle: RouteHandler, platform: Platform) -> Response:
        key = request.headers.get(KEY_HEADER)
        if key is None or request.method != "POST" or not self.idempotent:
            return await handle(request)
        if not 8 <= len(key) <= 255:
            raise BadIdempotencyKey
        scope, fingerprint = await self._fingerprint(request, platform)
        replay = await _claim(uow, scope, key, fingerprint, platform.now())
        if replay is not None:
            return replay
        response = await handle(request)
        body = bytes(response.body)
        created = _created_id(body) if response.status_code == HTTPStatus.CREATED else None
        await uow.execute(_KEEP, scope, key, response.status_code, body, created)
        return response

    async def _fingerprint(self, request: Request, platform: Platform) -> tuple[str, bytes]:
        """Returns the scope of the key, and a keyed hash of the request (a body may hold a password)."""
        secret = platform.settings.cluster_secret.get_secret_value().encode()
        # Limits and the session check apply to a stored response, too.
        identity = await admit(request, await bearer(request))
        asked = request.url.path.encode() + b"\n" + await request.body()
        fingerprint = hmac.new(secret, asked, sha256).digest()
        # Callers who are not signed in share no key: only the same request is a repetition.
        scope = str(identity.account_id) if identity else f"anonymous:{fingerprint.hex()}"
        return scope, fingerprint


class UnrepeatableRoute(TransactionRoute):
    """A route whose responses are secrets: they are not stored, and an Idempotency-Key is ignored."""

    idempotent = False


async def forget_responses(uow: UnitOfWork, account_id: UUID, deleted_id: UUID) -> None:
    """Forgets the stored responses to an account with which something was created that is being deleted. The keys stay:
    a late repetition must not create it again."""
    await uow.execute(_FORGET, str(account_id), deleted_id)


def _created_id(body: bytes) -> UUID | None:
    """Returns the id of what a response shows as created, None for something without."""
    found = orjson.loads(body).get("id")
    return UUID(found) if found else None


async def _claim(uow: UnitOfWork, scope: str, key: str, fingerprint: bytes, now: datetime) -> Response | None:
    if await uow.fetchval(_CLAIM, scope, key, fingerprint, now) is not None:
        return None
    row = await uow.fetchrow(_FIND, scope, key)
    if row is None or row["status"] is None:
        raise StillRunning
    if not hmac.compare_digest(row["fingerprint"], fingerprint):
        raise IdempotencyKeyReused
    if row["body"] is None:
        raise DeletedSince
    return Response(
        row["body"],
        status_code=row["status"],
        media_type="application/json",
        headers={"Idempotency-Replayed": "true"},
    )
