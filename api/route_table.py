"""Finds the route of a request by the first segment of its path; after the version, if there is one.

FastAPI, and Serve for its metrics, try one route after the other; with fifty routes that took longer than many
handlers. For both the table is a single route.

It also responds to HEAD, as to GET and without the body (RFC 9110, section 9.3.2), and to OPTIONS with the methods of a
path.
"""

from collections.abc import Iterable

from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Message, Receive, Scope, Send

from api.routes import VERSION

_VERSIONED = f"{VERSION}/"
_FOUND = "entativa.route"
_DERIVED = {"HEAD", "OPTIONS"}


class RouteTable(BaseRoute):
    """Routes by the first segment of their paths, which is never a parameter; within a segment the first match wins."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self.path = ""
        """The path of the route that matched last: Serve reads it right after `matches`."""
        self._routes: dict[str, list[Route]] = {}
        for route in routes:
            if not isinstance(route, Route) or "{" in _first_segment(route.path):
                raise ValueError(f"{route} has no first segment to find it by")
            self._routes.setdefault(_first_segment(route.path), []).append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Returns the first route that matches path and method, otherwise the first that matches the path."""
        best: tuple[Match, Scope] = (Match.NONE, {})
        if scope["type"] != "http":
            return best
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for route in self._routes.get(_first_segment(path), ()):
            match, child_scope = route.matches(scope)
            if match.value > best[0].value:
                best = match, {**child_scope, _FOUND: route}
                self.path = route.path
                if match is Match.FULL:
                    break
        return best

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles the request with the route that `matches` found."""
        route: Route = scope[_FOUND]
        method = scope["method"]
        if method not in _DERIVED or method in (route.methods or ()):
            await route.handle(scope, receive, send)
            return
        methods = self._methods(scope)
        if method == "OPTIONS":
            allowed = Response(status_code=204, headers={"Allow": ", ".join(sorted(methods | {"OPTIONS"}))})
            await allowed(scope, receive, send)
        elif "GET" in methods:
            await self._handle_head(scope, receive, send)
        else:
            await route.handle(scope, receive, send)

    async def _handle_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_headers(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        reading = {**scope, "method": "GET"}
        _, child_scope = self.matches(reading)
        reading.update(child_scope)
        scope["route"] = reading[_FOUND]  # metrics count the request there
        await reading[_FOUND].handle(reading, receive, send_headers)

    def _methods(self, scope: Scope) -> set[str]:
        """Returns the methods of a path, with HEAD where there is GET."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        methods: set[str] = set()
        for route in self._routes.get(_first_segment(path), ()):
            if route.matches(scope)[0] is not Match.NONE:
                methods |= route.methods or set()
        return methods | {"HEAD"} if "GET" in methods else methods


def _first_segment(path: str) -> str:
    """Returns the first segment of a path, with the version before it."""
    version = VERSION if path.startswith(_VERSIONED) else ""
    return version + path[len(version) + 1 :].partition("/")[0]
