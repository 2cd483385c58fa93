"""Both brands keep what their OpenAPI documents promise, whatever a client sends (schemathesis).

The documents' own schemas make the requests, right and wrong ones, and judge the answers: no 5xx, no undocumented
status or media type, every body as described. An operation that both brands describe alike is tried on one of them.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from brands.catalogue import BRANDS
from features.devices.directory_epochs import close_due_epoch
from features.messaging.policy import MessagingPolicy
from features.realtime.store import HostDirectory, ListedHost
from tests.support.conversation_host import open_with_conversations
from tests.support.environment import Environment
from tests.support.mail_trap import MailTrap
from tests.support.servers import Servers
from tests.support.uploads import BODY_TYPE

schemathesis.serializer.alias(BODY_TYPE, "application/octet-stream")

EXAMPLES = 4
"""Requests per operation of somebody who is signed in, for each of: right or wrong by the document."""
ANONYMOUS_EXAMPLES = 1
"""The same of others: most operations refuse them whatever they say."""

_SCHEMA = re.compile(r'#/components/schemas/([^"]+)')

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(params=["entativa", "vignette"])
async def environment(
    request: pytest.FixtureRequest, servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap
) -> AsyncIterator[Environment]:
    """Each brand. Messages are for entities alone."""
    brand = BRANDS[request.param]
    opening = open_with_conversations(brand, servers, template, tmp_path, mail_trap, MessagingPolicy())
    async with opening as (opened, _):
        yield opened


@pytest.fixture
async def descriptions(entativa: Environment, vignette: Environment) -> list[dict[str, str]]:
    """What each brand's document says of an operation, by method and path."""
    return [_described(await brand.document()) for brand in (entativa, vignette)]


def _described(document: dict[str, Any]) -> dict[str, str]:
    schemas = {name: json.dumps(schema, sort_keys=True) for name, schema in document["components"]["schemas"].items()}

    def with_schemas(text: str) -> str:
        said: dict[str, str] = {}
        while named := {*_SCHEMA.findall(" ".join([text, *said.values()]))} - said.keys():
            said |= {name: schemas[name] for name in named}
        return text + json.dumps(said, sort_keys=True)

    return {
        f"{method.upper()} {path}": with_schemas(json.dumps(operation, sort_keys=True))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _tried_on(brand: str, descriptions: list[dict[str, str]]) -> set[str]:
    """The operations to try on a brand: every second one of those that are alike, and all others."""
    entativa, vignette = descriptions
    alike = [name for name in sorted(entativa.keys() & vignette.keys()) if entativa[name] == vignette[name]]
    first, second = set(alike[::2]), set(alike[1::2])
    return entativa.keys() - second if brand == "entativa" else vignette.keys() - first


async def _inhabit(environment: Environment) -> dict[str, str]:
    """People, ties and posts; returns what path parameters can name."""
    ada, grace = await environment.member("ada"), await environment.member("grace")
    # Tickets need a host to take them to; what happens there is not part of the document.
    directory = HostDirectory(environment.platform.redis, environment.brand.name)
    await directory.announce(ListedHost("rt-1", "ws://127.0.0.1:9/realtime", sockets=0), ttl_s=600)
    assert await close_due_epoch(
        environment.platform, environment.clock()
    )  # before the first one the key directory is unavailable
    post = await grace.post("/posts", json={"text": "On my way to #lisbon with @ada"})
    created = await ada.post("/lists", json={"name": "Climbing"})
    story = await grace.post("/stories", json={"text": "Good morning"})
    known = {"username": "grace", "tag": "lisbon", "post_id": post.json()["id"], "list_id": created.json()["id"]}
    known["story_id"] = story.json()["id"]
    known["highlight_id"] = (await grace.post("/highlights", json={"title": "Lisbon"})).json()["id"]
    opened = await ada.post("/conversations", json={"account_id": grace.id})
    known["conversation_id"] = opened.json()["id"]
    if "friends" in environment.brand.feature_names:
        asked = await grace.post("/friends/requests", json={"username": "ada"})
        known["request_id"] = asked.json()["id"]
    else:
        await ada.put("/follows/grace")
    return known


async def _attack(environment: Environment, operations: set[str], signed_in: bool, mode: GenerationMode) -> None:
    known = await _inhabit(environment)
    schema = schemathesis.openapi.from_dict(await environment.document())
    broken, session = [], await environment.log_in("ada")
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result.err()
        operation = result.ok()
        if f"{operation.method.upper()} {operation.path}" not in operations:
            continue
        operations.remove(f"{operation.method.upper()} {operation.path}")
        if signed_in and (await session.get("/settings")).status_code != 200:  # what was sent has ended it
            session = await environment.log_in("ada")
        headers = session.headers if signed_in else {}
        names = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
        examples = EXAMPLES if signed_in else ANONYMOUS_EXAMPLES
        exercise = _exercise(environment, operation.as_strategy(generation_mode=mode), names, headers, examples)
        try:
            # In a thread of its own, since Hypothesis is synchronous. Where nothing is sent, nothing can be wrong.
            with suppress(Unsatisfiable):
                await asyncio.to_thread(exercise)
        except FailureGroup as failures:
            broken += [f"{operation.label}: {failure}" for failure in failures.exceptions]
    assert not broken, "\n\n".join(broken)
    assert not operations, "of the document, and not tried"


def _exercise(
    environment: Environment,
    cases: st.SearchStrategy[Any],
    names: dict[str, str],
    headers: dict[str, str],
    examples: int,
) -> Callable[[], None]:
    """Sends what `cases` generates, half of it to things that exist. Call it in the environment's event loop."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, existing=st.booleans())
    def exercise(case: Any, existing: bool) -> None:
        if existing:
            case.path_parameters = {**(case.path_parameters or {}), **names}
        made = requests.Request(**case.as_transport_kwargs(base_url="http://test", headers=headers)).prepare()
        body = made.body if isinstance(made.body, str | bytes) else None
        # Latin-1, as the bytes of a header are (RFC 9110, section 5.5): ASCII is too little for what is generated.
        sent = [(name.encode(), str(value).encode("latin-1")) for name, value in made.headers.items()]
        request = httpx.Request(str(made.method), str(made.url), headers=sent, content=body)
        answer = asyncio.run_coroutine_threadsafe(environment.client.send(request), loop).result(60)
        case.validate_response(answer, checks=CHECKS)

    return exercise


@pytest.mark.timeout(900)  # a thousand requests and more
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "anonymous"])
async def test_a_brand_keeps_its_document(
    descriptions: list[dict[str, str]], environment: Environment, signed_in: bool, mode: GenerationMode
) -> None:
    await _attack(environment, _tried_on(environment.brand.name, descriptions), signed_in, mode)
