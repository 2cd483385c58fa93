"""The feed over HTTP.

It comes from timelines in memory where there are any, from Postgres otherwise.
"""

import re
from typing import Annotated

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.deps import DEGRADED, Now, PageDep, SignedIn, Uow, admit_token, service
from api.errors import render_domain_error
from api.platform import Platform
from api.post_views import PostPage, respond
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from cluster.logs import logger
from cluster.storage_errors import DATABASE_ERRORS
from features.errors import DomainError
from features.feed.home import HomeFeed
from features.feed.ports import FeedsUnavailable
from features.feed.service import FeedService
from features.paging import Cursor, PageRequest

PATH = f"{VERSION}/feed"
_PARAMETERS = {"limit", "cursor"}
_LIMIT = re.compile("[1-9][0-9]?|100")
_FIRST_PAGE = PageRequest(50)

router = APIRouter(prefix=VERSION, tags=["feed"], route_class=TransactionRoute)

Feed = Annotated[FeedService, service(FeedService)]

log = logger(__name__)


@router.get("/feed", response_model=PostPage)
async def newest(identity: SignedIn, page: PageDep, feed: Feed, uow: Uow, now: Now) -> Response:
    """List your own posts and those of your friends or of those you follow, newest first."""
    return respond(await feed.newest(uow, identity.account_id, page, now))


class FeedInMemory:
    """ASGI middleware that serves plain requests for the feed from memory, bypassing FastAPI. It passes on all other
    requests, and those that need Postgres (a page further back than timelines reach; timelines that cannot be
    reached)."""

    @classmethod
    def over(cls, app: ASGIApp, platform: Platform) -> ASGIApp:
        """Returns the application behind this middleware, or as it is where no timelines are in memory."""
        home = platform.service(FeedService).home
        return app if home is None else cls(app, platform=platform, home=home)

    def __init__(self, app: ASGIApp, *, platform: Platform, home: HomeFeed) -> None:
        self._app = app
        self._platform = platform
        self._home = home

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and _is_feed(scope):
            try:
                response = await self._respond(scope)
            except DomainError as error:
                response = render_domain_error(error, self._platform.brand)
            except DATABASE_ERRORS:
                response = None  # the FastAPI route will fail in the same way and renders the error
            if response is not None:
                scope["route"] = _ROUTE
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _respond(self, scope: Scope) -> Response | None:
        token = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        page = _page_of(scope["query_string"])
        if page is None or not token.startswith(b"Bearer ") or len(token) == 7:
            return None
        async with self._platform.database.unit_of_work(read_only=True) as uow:
            identity = await admit_token(Request(scope), uow, token[7:].decode("latin-1"))
            scope.setdefault("state", {})["admitted"] = identity  # counted once, even if the request is passed on
            try:
                body = await self._home.page(uow, identity.account_id, page, self._platform.now())
            except FeedsUnavailable as error:
                log.info("feed from Postgres", reason=str(error))
                DEGRADED.labels("feed_from_sql").inc()
                return None
        if body is None:
            return None
        headers = {}
        if self._platform.settings.server_timing:
            headers["Server-Timing"] = f'sql;desc="{uow.statements}"'
        return Response(body, media_type="application/json", headers=headers)


ROUTES = Routes((router,), FeedInMemory.over)

_ROUTE = router.routes[0]
"""The route under which metrics count the request."""


def _is_feed(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.endswith(PATH) and path == scope.get("root_path", "") + PATH


def _page_of(query_string: bytes) -> PageRequest | None:
    """Returns the requested page, None where FastAPI must validate the query."""
    if not query_string:
        return _FIRST_PAGE
    query = QueryParams(query_string)
    limit, cursor = query.get("limit", "50"), query.get("cursor")
    if not query.keys() <= _PARAMETERS or len(query.multi_items()) > len(query) or not _LIMIT.fullmatch(limit):
        return None
    return PageRequest(int(limit), Cursor.decode(cursor) if cursor else None)
