"""The table of routes finds the same route as a search through the list."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from api.route_table import RouteTable

PATHS = [
    "/posts",
    "/posts/{id}",
    "/posts/mine",
    "/posts/{id}/history",
    "/people/{name}",
    "/feed",
    "/",
    "/v1/posts",
    "/v1/posts/{id}",
    "/v1/people/{name}",
]


def _route(path: str, method: str) -> Route:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{method} {path} {request.path_params}")

    return Route(path, answer, methods=[method])


ROUTES = [_route(path, method) for path in PATHS for method in ("GET", "POST") if (path, method) != ("/feed", "POST")]
SEGMENTS = st.sampled_from(["v1", "posts", "people", "feed", "mine", "7", "history", "", "%2F", "{id}"])


@given(
    path=st.lists(SEGMENTS, max_size=4).map(lambda segments: "/" + "/".join(segments)),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    root=st.sampled_from(["", "/brand"]),
)
def test_it_answers_as_the_list_does(path: str, method: str, root: str) -> None:
    listed, tabled = (
        asyncio.run(_ask(Router(routes), root, method, path)) for routes in (ROUTES, [RouteTable(ROUTES)])
    )
    assert listed == tabled


async def _ask(router: Router, root: str, method: str, path: str) -> tuple[int, str, str | None, str | None]:
    transport = httpx.ASGITransport(app=router, root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.request(method, f"http://test{root}{path}")
    return answer.status_code, answer.text, answer.headers.get("location"), answer.headers.get("allow")


def test_a_route_that_fits_every_path_has_no_place_in_it() -> None:
    with pytest.raises(ValueError, match="first segment"):
        RouteTable([_route("/{anything}", "GET")])
    with pytest.raises(ValueError, match="first segment"):
        RouteTable([_route("/v1/{anything}", "GET")])
    with pytest.raises(ValueError, match="first segment"):
        RouteTable([Mount("/posts", routes=[])])
