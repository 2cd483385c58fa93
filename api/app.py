"""Builds the FastAPI application of one brand, or of some of its features."""

from collections.abc import Mapping

from fastapi import APIRouter, FastAPI

from api import auth, feed, follows, friends, health, posts, profiles, relationships
from api.errors import add_error_handlers
from api.middleware import FrameMiddleware
from api.openapi import describe, operation_id
from api.platform import Platform

ROUTERS: Mapping[str, APIRouter] = {
    "auth": auth.router,
    "profiles": profiles.router,
    "relationships": relationships.router,
    "friends": friends.router,
    "follows": follows.router,
    "posts": posts.router,
    "feed": feed.router,
}


def create_app(platform: Platform) -> FastAPI:
    """The application with the routers of the platform's features."""
    app = FastAPI(
        title=platform.title,
        version="1",
        docs_url="/docs",
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    app.state.platform = platform
    app.include_router(health.router)
    for feature in sorted(platform.features):
        app.include_router(ROUTERS[feature])
    add_error_handlers(app)
    app.add_middleware(FrameMiddleware, brand=platform.brand, max_body_bytes=platform.settings.max_body_bytes)
    describe(app)
    return app
