"""Builds the FastAPI application of one brand, or of some of its features."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from api import auth, feed, follows, friends, health, posts, profiles, realtime, relationships, well_known
from api.errors import add_error_handlers
from api.middleware import RequestMiddleware
from api.openapi import describe, operation_id
from api.platform import Platform
from api.route_table import RouteTable

# Where two routes match a path, the earlier feature's is used.
ROUTERS: Mapping[str, Sequence[APIRouter]] = {
    "feed": [feed.router],
    "posts": [posts.router],
    "profiles": [profiles.router],
    "auth": [auth.router, auth.secret_router],
    "realtime": [realtime.router],
    "relationships": [relationships.router],
    "friends": [friends.router],
    "follows": [follows.router],
}


def _routers(features: frozenset[str]) -> list[APIRouter]:
    offered = [router for feature, routers in ROUTERS.items() if feature in features for router in routers]
    return [*offered, health.router, well_known.router]


def create_app(platform: Platform) -> FastAPI:
    """Returns the application with the routers of the platform's features. Its OpenAPI document lists all features of
    the brand: clients see one address, whether one application serves it or several."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await platform.close()

    app = FastAPI(
        lifespan=lifespan,
        title=platform.title,
        version="1",
        docs_url="/docs",
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    app.state.platform = platform
    routes = [route for router in _routers(platform.features) for route in router.routes]
    app.router.routes[:] = [RouteTable([*routes, *app.router.routes])]
    add_error_handlers(app)
    if "feed" in platform.features and (home := platform.services.feed.home):
        app.add_middleware(feed.FeedInMemory, platform=platform, home=home)
    app.add_middleware(RequestMiddleware, brand=platform.brand, max_body_bytes=platform.settings.max_body_bytes)
    describe(app, _routers(platform.brand_features))
    return app
