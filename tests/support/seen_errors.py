"""Compares the errors that the application answers with in tests with those that its routes declare."""

import re
from collections.abc import Iterable
from functools import cache

import httpx
from fastapi.routing import APIRoute

from api import health, well_known
from api.error_codes import OUTSIDE_ROUTES, codes_of, own_codes
from api.routes import routes_of
from brands.catalogue import BRANDS

Seen = tuple[str, str]
"""A route (method and path) and an error code."""

SEEN: set[Seen] = set()
"""What this process has seen."""

_OUTSIDE = {code.code for code in OUTSIDE_ROUTES}


@cache
def _routes(brand: str) -> list[tuple[re.Pattern[str], APIRoute]]:
    routers = [router for routes in routes_of(BRANDS[brand].feature_names) for router in routes.routers]
    return [
        (route.path_regex, route)
        for router in (*routers, health.router, well_known.router)
        for route in router.routes
        if isinstance(route, APIRoute)
    ]


def find_route(brand: str, method: str, path: str) -> APIRoute | None:
    """Returns the route of a request, None for an unknown address or method."""
    return next((r for regex, r in _routes(brand) if method in (r.methods or ()) and regex.match(path)), None)


async def check_errors(brand: str, response: httpx.Response) -> None:
    """Records the code of an error. Raises AssertionError if its route does not declare it."""
    if response.request.method == "HEAD" or response.headers.get("content-type") != "application/problem+json":
        return
    await response.aread()
    code = response.json()["code"]
    route = find_route(brand, response.request.method, response.request.url.path)
    if route is None:
        # Addresses that no route has; httpx and the application may differ on what an odd one means.
        return
    name = f"{response.request.method} {route.path}"
    SEEN.add((name, code))
    declared = {declared.code for declared in codes_of(route)}
    assert code in declared | _OUTSIDE, f"{name} answers with {code}, which it does not declare"


def never_seen(seen: Iterable[Seen]) -> list[str]:
    """Returns what routes themselves declare and no test has seen, as ``route: code``."""
    routes = {id(route): route for brand in BRANDS for _, route in _routes(brand)}
    declared = {
        (f"{method} {route.path}", code.code)
        for route in routes.values()
        for method in route.methods or ()
        for code in own_codes(route)
    }
    return sorted(f"{name}: {code}" for name, code in declared - set(seen))
