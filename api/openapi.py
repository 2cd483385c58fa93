"""Completes the OpenAPI document: what is true of all operations, their errors, tags, and names of schemas.

Request bodies are classes named `…Body` and everything in responses `…Model`, so that they do not share their names
with domain classes. The document leaves `Model` out: `PostModel` is `Post` there, `PageModel[FriendModel]` is
`FriendPage`. A schema's title is its name, since generators call their classes by it.
"""

import inspect
import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import groupby
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.conditional import ConditionalRoute
from api.deps import poster, signed_in
from api.error_codes import ErrorCode, calls, codes_of
from api.errors import MEDIA_TYPE, ProblemModel
from api.transaction import KEY_HEADER, TransactionRoute, location_of

_DESCRIPTION = """
Sign up, confirm the mailed code, and send the access token as `Authorization: Bearer`. Some operations answer without
one, too.

An error is `application/problem+json` (RFC 9457): decide by its `code`, show its `detail`. 429 and 503 say in
`Retry-After` when to try again. A POST with an `Idempotency-Key` can be repeated after a lost response. Lists come in
pages: pass `next_cursor` as `cursor` until it is null.
"""

_DESCRIPTIONS = {
    "400": "The request cannot be read",
    "401": "No valid access token, or the credentials are wrong",
    "403": "Not allowed",
    "404": "Does not exist, or not for this caller",
    "408": "The request did not arrive in time",
    "409": "Conflicts with the present state",
    "412": "The server cannot promise what the request asks for",
    "413": "The body is too large",
    "415": "The Content-Type is wrong",
    "416": "The content has no such bytes",
    "422": "The input is wrong; `errors` names the fields",
    "429": "Over a limit; Retry-After says when to try again",
    "460": "The checksum is wrong",
    "503": "A storage service is down; try again",
}

_HEADERS: dict[str, Any] = {
    name: {"description": description, "schema": schema}
    for name, description, schema in (
        ("X-Trace-Id", "Identifies the request in the logs.", {"type": "string", "maxLength": 32}),
        ("Retry-After", "Seconds after which to try again.", {"type": "integer", "minimum": 1}),
        ("WWW-Authenticate", "How to authenticate.", {"type": "string", "maxLength": 100}),
        (
            "ETag",
            "For If-None-Match.",
            {"type": "string", "maxLength": 100},
        ),
        (
            "Location",
            "The address of the new resource.",
            {"type": "string", "maxLength": 500},
        ),
        (
            "Idempotency-Replayed",
            "Present if this is the response of an earlier request with the same Idempotency-Key.",
            {"type": "string", "enum": ["true"]},
        ),
    )
}

_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the version that the client has.",
    "schema": {"type": "string", "maxLength": 1000},
    "example": '"4f2c6a1d0b9e8c7a5b3d2e1f"',
}

_IDEMPOTENCY_KEY = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": "A random text: a repeated request with the same key returns the first response.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 255},
    "example": "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11",
}


def describe(app: FastAPI, routers: Sequence[APIRouter], brand_schemas: dict[str, Any]) -> None:
    """Replaces the application's `openapi()` by one that documents these routers and what all requests share.
    `brand_schemas` replace those of the models with their names."""
    documented = FastAPI(
        title=app.title, version=app.version, contact=app.contact, generate_unique_id_function=operation_id
    )
    for router in routers:
        documented.include_router(router)
    routes = {
        (route.path_format, method.lower()): route
        for router in reversed(routers)  # where two have a path, the earlier one's is used
        for route in reversed(router.routes)
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(documented, routes, brand_schemas)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, routes: dict[tuple[str, str], APIRoute], brand_schemas: dict[str, Any]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_DESCRIPTION.strip(),
        contact=app.contact,
        tags=_tags(routes.values()),
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemModel.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemModel"] = problem
    schemas.update(deepcopy(brand_schemas))
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            route = routes[path, method]
            name = _problem_name(operation["operationId"])
            codes = codes_of(route)
            schemas[name] = _problem_schema(codes)
            _add_errors(operation, codes, name)
            if method == "post" and isinstance(route, TransactionRoute) and route.idempotent:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            if method == "get" and isinstance(route, ConditionalRoute):
                operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
                operation["responses"]["304"] = {"description": "The client has the present version"}
            _add_headers(operation, route)
            _declare_sign_in(operation, route)
    document["components"]["headers"] = _HEADERS
    document["components"]["schemas"] = {
        _schema_name(name): {**schema, "title": _schema_name(name)} for name, schema in schemas.items()
    }
    assert len(document["components"]["schemas"]) == len(schemas), "two schemas have one name"
    _rename_references(document)
    return document


def _tags(routes: Iterable[APIRoute]) -> list[dict[str, str]]:
    """Returns the tags of routes. A tag is described by the first line of the module of its routes (the last one's, if
    several modules use it), as an operation is by the docstring of its function."""
    modules = {str(tag): inspect.getmodule(route.endpoint) for route in routes for tag in route.tags}
    return [
        {"name": name, "description": inspect.cleandoc(module.__doc__ or "").partition("\n")[0]}
        for name, module in sorted(modules.items())
        if module is not None
    ]


def _schema_name(name: str) -> str:
    """Returns the name of a model in the document."""
    listed = re.fullmatch(r"PageModel_(\w+)Model_", name)
    return f"{listed[1]}Page" if listed else name.removesuffix("Model")


def _rename_references(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _rename_references(item)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            node["$ref"] = _renamed(node["$ref"])
        if isinstance(discriminator := node.get("discriminator"), dict):
            mapping = discriminator.get("mapping", {})
            mapping.update({tag: _renamed(reference) for tag, reference in mapping.items()})
        for value in node.values():
            _rename_references(value)


def _renamed(reference: str) -> str:
    path, _, name = reference.rpartition("/")
    return f"{path}/{_schema_name(name)}"


def _problem_name(operation_id: str) -> str:
    """Returns the name of the schema of an operation's errors: ``PostsCreateProblem``."""
    return "".join(word.title() for word in operation_id.split("_")) + "Problem"


def _problem_schema(codes: Iterable[ErrorCode]) -> dict[str, Any]:
    """Returns the schema of a problem whose `code` is one of those that a route declares."""
    names = sorted({code.code for code in codes})
    return {
        "allOf": [
            {"$ref": "#/components/schemas/ProblemModel"},
            {"type": "object", "properties": {"code": {"type": "string", "enum": names}}},
        ]
    }


def _add_errors(operation: dict[str, Any], codes: Iterable[ErrorCode], name: str) -> None:
    """Documents the errors of an operation, one response per status."""
    operation["responses"].pop("422", None)  # FastAPI's own
    by_status = sorted(codes, key=lambda code: (code.status, code.code))
    for status, group in groupby(by_status, key=lambda code: code.status):
        if str(status) in operation["responses"]:
            continue  # a route documents a response of its own
        listed = ", ".join(f"`{code.code}`" for code in group)
        operation["responses"][str(status)] = {
            "description": f"{_DESCRIPTIONS[str(status)]}: {listed}",
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        }


def _add_headers(operation: dict[str, Any], route: APIRoute) -> None:
    """Documents the headers of an operation's responses."""
    for status, response in operation["responses"].items():
        names = ["X-Trace-Id"]
        if status in ("429", "503") and MEDIA_TYPE in response.get("content", {}):
            names.append("Retry-After")
        if status == "401":
            names.append("WWW-Authenticate")
        if status in ("200", "304") and isinstance(route, ConditionalRoute) and "GET" in (route.methods or ()):
            names.append("ETag")
        if status == "201" and location_of(route):
            names.append("Location")
        if status.startswith("2") and any(each is _IDEMPOTENCY_KEY for each in operation.get("parameters", ())):
            names.append("Idempotency-Replayed")
        common = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = {**response.get("headers", {}), **common}


def _declare_sign_in(operation: dict[str, Any], route: APIRoute) -> None:
    """Declares an access token as optional where the route does not require one."""
    if "security" in operation and not any(calls(route, required) for required in (signed_in, poster)):
        operation["security"] = [{}, *operation["security"]]


def operation_id(route: APIRoute) -> str:
    """Returns an operation id that reads well in a generated client: ``posts_create``."""
    return f"{route.tags[0] if route.tags else 'api'}_{route.name}"
