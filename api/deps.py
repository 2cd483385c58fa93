"""The dependencies of routers: the platform, the unit of work, the time, the caller, and a page.

Every request passes `admit` once: rate limits and the session check in one Redis round trip. Without Redis there are no
rate limits, and the session is checked in Postgres.
"""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.error_codes import TooManyRequests, raises
from api.platform import Platform
from api.rate_limit import Limit
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from cluster.redis import RedisError
from features.auth.errors import TOKEN_ERRORS, SignInRequired
from features.auth.service import AuthService
from features.identity import Identity
from features.paging import BadCursor, Cursor, PageRequest
from features.sealed_cursors import SealedPageRequest

DEGRADED = Counter("entativa_degraded_total", "Requests served in a degraded mode", ["mode"])
REFUSED = Counter("entativa_rate_limited_total", "Requests refused by a rate limit", ["limit"])

_NO_LIMITS: Mapping[str, Limit] = MappingProxyType({})

bearer = HTTPBearer(
    scheme_name="AccessToken",
    bearerFormat="JWT",
    auto_error=False,
    description="An access token from POST /auth/log-in",
)


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


# Dependencies are coroutines even where they await nothing: FastAPI runs plain functions in worker threads.
async def get_platform(request: Request) -> Platform:
    return platform_of(request)


def service(kind: type[Any]) -> Any:
    """Returns a dependency on the service of a class: ``Annotated[PostService, service(PostService)]``."""

    async def get_service(request: Request) -> Any:
        return platform_of(request).service(kind)

    return Depends(get_service)


def unit_of_work_of(request: Request) -> UnitOfWork:
    uow: UnitOfWork = request.state.uow
    return uow


async def get_unit_of_work(request: Request) -> UnitOfWork:
    return unit_of_work_of(request)


async def get_now(request: Request) -> datetime:
    return platform_of(request).now()


def client_address(request: Request) -> str:
    """Returns the address that limits count: the one that the outermost trusted proxy saw; IPv6 as its /64."""
    lines = request.headers.getlist("x-forwarded-for")  # a proxy may add to a line or add a line
    hops = [hop.strip() for line in lines for hop in line.split(",") if hop.strip()]
    trusted = platform_of(request).settings.trusted_proxies
    peer = request.client.host if request.client else "unknown"
    address = hops[-trusted] if trusted and len(hops) >= trusted else peer
    try:
        parsed = ip_address(address)
    except ValueError:
        return peer
    return str(parsed) if parsed.version == 4 else ":".join(parsed.exploded.split(":")[:4])


async def get_requester(request: Request) -> str:
    return client_address(request)


@raises(TooManyRequests, *TOKEN_ERRORS)
async def admit(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Identity | None:
    """Returns the caller, None without a token. Raises the errors of tokens,
    TooManyRequests if the identity (for anonymous requests, the address) is over its limit. A request is counted
    once, however often this is called."""
    if not hasattr(request.state, "admitted"):
        request.state.admitted = await _admit(request, credentials)
    admitted: Identity | None = request.state.admitted
    return admitted


async def _admit(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Identity | None:
    if credentials is not None:
        return await admit_token(request, unit_of_work_of(request), credentials.credentials)
    await limit_address(request)
    return None


async def admit_token(
    request: Request, uow: UnitOfWork, token: str, further: Mapping[str, Limit] = _NO_LIMITS
) -> Identity:
    """Returns the holder of an access token; the request counts against `further` limits of the account, by name, too.
    Raises as `admit` does. A token whose signature this replica has not verified before counts against the limit of its
    address first, since a check takes longer than a small request."""
    platform = platform_of(request)
    sessions, limits = platform.service(AuthService).sessions, platform.settings.rate_limits
    if not sessions.access_tokens.has_verified(token):
        await limit_address(request)
    identity = sessions.verify_access_token(token, platform.now())
    counted = {"identity": Limit(limits.identity_per_minute, limits.identity_burst), **further}
    known = await _count(platform, str(identity.account_id), counted, sessions.liveness_key(identity.session_id))
    await sessions.require_live(uow, identity, known, platform.now())
    return identity


async def limit_account(request: Request, account_id: UUID) -> None:
    """Counts a request without an access token against the limit of the account on whose behalf it is made. Raises
    TooManyRequests."""
    platform = platform_of(request)
    limits = platform.settings.rate_limits
    limit = Limit(limits.identity_per_minute, limits.identity_burst)
    await _count(platform, str(account_id), {"identity": limit})


@raises(TooManyRequests)
async def limit_address(request: Request) -> None:
    """Counts a request against the limit of its network address. Raises TooManyRequests."""
    limits = platform_of(request).settings.rate_limits
    limit = Limit(limits.address_per_minute, limits.address_burst)
    await _count(platform_of(request), client_address(request), {"address": limit})


@raises(TooManyRequests)
async def limit_files(request: Request) -> None:
    """Counts a read of a public file against a limit of its own of the network address. Raises TooManyRequests."""
    limits = platform_of(request).settings.rate_limits
    limit = Limit(limits.files_per_minute, limits.files_burst)
    await _count(platform_of(request), client_address(request), {"files": limit})


@raises(TooManyRequests)
async def limit_credentials(request: Request) -> None:
    """Applies a tighter limit per address to requests that test a secret."""
    await _count(platform_of(request), client_address(request), {"credentials": _credentials_limit(request)})


async def limit_refresh(request: Request, family: UUID) -> None:
    """Applies a limit to a family of refresh tokens. (Not to their address: an office has many.)"""
    limits = platform_of(request).settings.rate_limits
    limit = Limit(limits.refreshes_per_minute, limits.refreshes_burst)
    await _count(platform_of(request), str(family), {"refresh": limit})


def _credentials_limit(request: Request) -> Limit:
    limits = platform_of(request).settings.rate_limits
    return Limit(limits.credentials_per_minute, limits.credentials_burst)


async def _count(
    platform: Platform, subject: str, limits: Mapping[str, Limit], session: str | None = None
) -> bytes | None:
    """Counts a request against limits, by name. Returns the cached state of the session. Raises TooManyRequests."""
    keys = {f"{platform.brand}:limit:{name}:{subject}": limit for name, limit in limits.items()}
    try:
        verdicts = await platform.admissions.ask(keys, session)
    except RedisError:
        DEGRADED.labels("no_redis").inc()
        return b""  # not None, so that the session check does not try Redis once more
    for name, verdict in zip(limits, verdicts, strict=True):
        if verdict.wait_ms:
            REFUSED.labels(name).inc()
            raise TooManyRequests(retry_after_s=-(-verdict.wait_ms // 1000))
    return verdicts[0].liveness


@raises(SignInRequired)
async def signed_in(identity: Annotated[Identity | None, Depends(admit)]) -> Identity:
    if identity is None:
        raise SignInRequired
    return identity


@raises(SignInRequired, TooManyRequests, *TOKEN_ERRORS)
async def poster(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Identity:
    """Returns the caller, like `signed_in`. Applies a tighter limit per account to requests that write a post: one of
    them is work for each of its readers, and for every consumer. Both limits are counted in one round trip."""
    limits = platform_of(request).settings.rate_limits
    posts = {"posts": Limit(limits.posts_per_minute, limits.posts_burst)}
    if credentials is None or hasattr(request.state, "admitted"):
        identity = await signed_in(await admit(request, credentials))
        await _count(platform_of(request), str(identity.account_id), posts)
    else:
        identity = await admit_token(request, unit_of_work_of(request), credentials.credentials, posts)
        request.state.admitted = identity
    return identity


PageLimit = Annotated[int, Query(ge=1, le=100, description="How many items at most.")]
PageCursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")]


@raises(BadCursor)
async def get_page(limit: PageLimit = 50, cursor: PageCursor = None) -> PageRequest:
    return PageRequest(limit, Cursor.decode(cursor) if cursor else None)


@raises(BadCursor)
async def get_sealed_page(limit: PageLimit = 50, cursor: PageCursor = None) -> SealedPageRequest:
    """Returns the page of a list that opens its cursors itself, which raises BadCursor."""
    return SealedPageRequest(limit, cursor)


def account_or_none(identity: Identity | None) -> UUID | None:
    return identity.account_id if identity else None


PlatformDep = Annotated[Platform, Depends(get_platform)]
Uow = Annotated[UnitOfWork, Depends(get_unit_of_work)]
Requester = Annotated[str, Depends(get_requester)]
Now = Annotated[datetime, Depends(get_now)]
SignedIn = Annotated[Identity, Depends(signed_in)]
Poster = Annotated[Identity, Depends(poster)]
MaybeSignedIn = Annotated[Identity | None, Depends(admit)]
PageDep = Annotated[PageRequest, Depends(get_page)]
SealedPageDep = Annotated[SealedPageRequest, Depends(get_sealed_page)]
