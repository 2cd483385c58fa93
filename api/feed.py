"""The feed over HTTP: from the timelines in memory where they are, from Postgres otherwise."""

from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.deps import DEGRADED, PageDep, ServicesDep, SignedIn, Uow, admit_token
from api.direct import DirectPageRoute, page_of_query
from api.errors import render_domain_error
from api.platform import Platform
from api.post_views import PostPage, respond
from cluster.logs import logger
from cluster.postgres import DatabaseError
from features.errors import DomainError
from features.feed.home import HomeFeed
from features.feed.ports import FeedsUnavailable

PATH = "/feed"

router = APIRouter(tags=["feed"], route_class=DirectPageRoute)

log = logger(__name__)


@router.get(PATH, response_model=PostPage)
async def newest(identity: SignedIn, page: PageDep, services: ServicesDep, uow: Uow) -> Response:
    """Your own posts and those of your friends or of those you follow, newest first."""
    return respond(await services.feed.newest(uow, identity.account_id, page))


class FeedInMemory:
    """ASGI middleware that answers plain requests for the feed from memory, past FastAPI; all others it passes on, and
    those that Postgres must answer (a page further back than is kept; timelines that cannot be reached)."""

    def __init__(self, app: ASGIApp, *, platform: Platform, home: HomeFeed) -> None:
        self._app = app
        self._platform = platform
        self._home = home

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and _is_feed(scope):
            try:
                answer = await self._answer(scope)
            except DomainError as error:
                answer = render_domain_error(error)
            except DatabaseError:
                answer = None  # FastAPI's way meets it again, and knows how to say so
            if answer is not None:
                scope["route"] = _ROUTE
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        token = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        page = page_of_query(scope["query_string"])
        if page is None or not token.startswith(b"Bearer ") or len(token) == 7:
            return None
        async with self._platform.database.unit_of_work(read_only=True) as uow:
            identity = await admit_token(self._platform, uow, token[7:].decode("latin-1"))
            scope.setdefault("state", {})["admitted"] = identity  # once is enough, should the request be passed on
            try:
                body = await self._home.page(uow, identity.account_id, page)
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


_ROUTE = router.routes[0]
"""What the request's metrics are counted under."""


def _is_feed(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.endswith(PATH) and path == scope.get("root_path", "") + PATH
