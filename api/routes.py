"""The version of the API, and what api/<feature>.py offers for a feature.

That is its routers and, for the hottest reads, a middleware before FastAPI.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter
from starlette.types import ASGIApp

from api.platform import Platform

VERSION = "/v1"
"""The prefix of the routers of all features. Health, keys (RFC 8615) and the document itself have no version."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The `ROUTES` of a module."""

    routers: tuple[APIRouter, ...]
    middleware: Callable[[ASGIApp, Platform], ASGIApp] | None = None
    """Wraps the application; inside of the request middleware."""
    streamed: tuple[str, ...] = ()
    """Paths below which bodies may be of any size: routes read them piece by piece, and have limits of their own."""
    large: tuple[tuple[str, int], ...] = ()
    """Paths whose bodies may be larger than those of others, and how many bytes they have at most."""
    schemas: Callable[[Platform], dict[str, Any]] | None = None
    """Schemas of the OpenAPI document that depend on the brand. They replace those of the models with their names."""


def routes_of(features: Iterable[str]) -> list[Routes]:
    """Returns the routes of features, in their order. A feature for which api/ has no module has none. Raises TypeError
    for a module without `ROUTES`."""
    found = []
    for feature in features:
        if find_spec(f"api.{feature}") is not None:
            routes = getattr(import_module(f"api.{feature}"), "ROUTES", None)
            if not isinstance(routes, Routes):
                raise TypeError(f"api/{feature}.py has no ROUTES")
            found.append(routes)
    return found
