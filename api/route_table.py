"""Finds the route of a request by the first segment of its path.

FastAPI, and Serve for its metrics, try one route after the other; with fifty routes that took longer than many
handlers. For both the table is a single route.
"""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_FOUND = "entativa.route"


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
        await scope[_FOUND].handle(scope, receive, send)


def _first_segment(path: str) -> str:
    return path[1:].partition("/")[0]
