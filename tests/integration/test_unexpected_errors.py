"""Exceptions that nothing handles: what the client receives, and what is logged and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

import httpx
import orjson
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from api.errors import UNEXPECTED
from api.middleware import REQUESTS, RequestMiddleware
from cluster.logs import configure_logs
from cluster.postgres import UnitOfWork
from features.auth import store
from tests.support.environment import Environment, open_client

ADDRESS = "ada@example.org"
ORIGIN = "https://app.example"


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


async def _fails(uow: UnitOfWork, *_: object) -> NoReturn:
    await uow.fetchval("select $1::int", ADDRESS)
    raise AssertionError


async def test_pages_of_other_origins_can_read_an_internal_error(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = await entativa.member("ada")
    monkeypatch.setattr(store, "list_audit", _fails)
    settings = entativa.settings.model_copy(update={"cors_origins": (ORIGIN,)})
    requests = REQUESTS.labels("entativa", "GET", "/v1/auth/audit", 500)
    counted, unexpected = requests._value.get(), UNEXPECTED._value.get()
    configure_logs()
    capsys.readouterr()
    async with open_client(replace(entativa.platform, settings=settings)) as client:
        answer = await client.get("/auth/audit", headers={**ada.headers, "Origin": ORIGIN})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Trace-Id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    trace_id = answer.headers["x-trace-id"]
    assert (answer.json()["code"], answer.json()["trace_id"]) == ("internal_error", trace_id)
    (line,) = [orjson.loads(line) for line in capsys.readouterr().err.splitlines() if "_fails" in line]
    assert (line["event"], line["trace_id"]) == ("unexpected error", trace_id)
    assert ADDRESS not in line["exception"]
    assert "DataError" in line["exception"]
    assert (requests._value.get(), UNEXPECTED._value.get()) == (counted + 1, unexpected + 1)


async def test_a_response_that_has_begun_is_cut() -> None:
    async def half(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        raise ValueError(ADDRESS)

    app = RequestMiddleware(half, brand="entativa", max_body_bytes=100)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        with pytest.raises(Exception, match=r"^$"):  # nothing of the request in what the server logs
            await client.get("/")
