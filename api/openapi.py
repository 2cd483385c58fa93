"""Completes the OpenAPI document: the errors of every operation, the Idempotency-Key header, and names of schemas.

Request bodies are classes named `…Body` and everything in responses `…Model`, so that they do not share their names
with domain classes. The document leaves `Model` out: `PostModel` is `Post` there, `PageModel[FriendModel]` is
`FriendPage`.
"""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.errors import MEDIA_TYPE, ProblemModel
from api.transaction import KEY_HEADER, TransactionRoute

_DESCRIPTIONS = {
    "400": "The request cannot be read",
    "401": "No valid access token, or the credentials are wrong",
    "403": "Not allowed",
    "404": "Does not exist, or not for this caller",
    "409": "Conflicts with the present state",
    "413": "The body is too large",
    "422": "The input is wrong; `errors` names the fields",
    "429": "Over a limit; Retry-After says when to try again",
    "503": "A storage service is down; try again",
}

_IDEMPOTENCY_KEY = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": "A random text: a repeated request with the same key returns the first response.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 255},
    "example": "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11",
}


def describe(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Replaces the application's `openapi()` by one that documents these routers and what all requests share."""
    documented = FastAPI(title=app.title, version=app.version, generate_unique_id_function=operation_id)
    for router in routers:
        documented.include_router(router)
    idempotent = {
        route.path_format
        for router in routers
        for route in router.routes
        if isinstance(route, TransactionRoute) and route.idempotent
    }

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(documented, idempotent)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, idempotent: set[str]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemModel.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemModel"] = problem
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _add_errors(operation, method, path)
            if method == "post" and path in idempotent:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    document["components"]["schemas"] = {_schema_name(name): schema for name, schema in schemas.items()}
    assert len(document["components"]["schemas"]) == len(schemas), "two schemas have one name"
    _rename_references(document)
    return document


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


def _add_errors(operation: dict[str, Any], method: str, path: str) -> None:
    statuses = ["400", "422", "429", "503"]
    if "security" in operation:
        statuses += ["401"]
    if "{" in path:
        statuses += ["404"]
    if method != "get":
        statuses += ["401", "403", "404", "409", "413"]
    for status in statuses:
        response = operation["responses"].get(status)
        if response is None or "HTTPValidationError" in str(response):
            operation["responses"][status] = {
                "description": _DESCRIPTIONS[status],
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}},
            }


def operation_id(route: APIRoute) -> str:
    """Returns an operation id that reads well in a generated client: ``posts_create``."""
    return f"{route.tags[0] if route.tags else 'api'}_{route.name}"
