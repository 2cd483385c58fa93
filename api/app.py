"""Builds the FastAPI application of one brand, or of some of its features."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from api import health, well_known
from api.cors import allow_origins
from api.errors import add_error_handlers
from api.middleware import RequestMiddleware
from api.openapi import describe, operation_id
from api.platform import Platform
from api.route_table import RouteTable
from api.routes import routes_of


def _routers(features: Iterable[str]) -> list[APIRouter]:
    offered = [router for routes in routes_of(features) for router in routes.routers]
    return [*offered, health.router, well_known.router]


def create_app(platform: Platform) -> FastAPI:
    """Returns the application with the routers of the platform's features. Its OpenAPI document lists all features of
    the brand: clients see one address, whether one application serves it or several."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await platform.close()

    address = platform.settings.public_urls.get(platform.brand)
    app = FastAPI(
        lifespan=lifespan,
        title=platform.title,
        version="1",
        contact={"name": platform.title, **({"url": address} if address else {})},
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,  # a redirect would resend a password, and over http behind a proxy
        generate_unique_id_function=operation_id,
        # We have metrics and traces of our own, and FastAPI's would be asked for at each request; its logs hold texts.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.platform = platform
    app.state.readiness = health.Readiness(platform)
    routes = [route for router in _routers(platform.served_features) for route in router.routes]
    app.router.routes[:] = [RouteTable([*routes, *app.router.routes])]
    add_error_handlers(app, platform.brand)
    for served in routes_of(platform.served_features):
        if served.middleware is not None:
            app.add_middleware(served.middleware, platform)
    app.add_middleware(
        RequestMiddleware,
        brand=platform.brand,
        max_body_bytes=platform.settings.max_body_bytes,
        streamed=tuple(path for routes in routes_of(platform.served_features) for path in routes.streamed),
        large=dict(each for routes in routes_of(platform.served_features) for each in routes.large),
    )
    if platform.settings.cors_origins:  # outermost, so that pages can read refusals of the middleware below, too
        app.add_middleware(allow_origins, platform.settings.cors_origins)
    brand_schemas = {
        name: schema
        for routes in routes_of(platform.brand_features)
        if routes.schemas is not None
        for name, schema in routes.schemas(platform).items()
    }
    describe(app, _routers(platform.brand_features), brand_schemas)
    return app
