"""The SQL statements of the code, and what each takes and returns, as Postgres understands it.

Statements are the texts at the top of modules and those that are written where they run, unless they are built from
arguments. A text that Postgres cannot prepare is only a part of statements."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any, TypedDict

import asyncpg

PACKAGES = ("actors", "api", "cluster", "features")
_VERBS = ("select", "insert", "update", "delete", "with")


class Statement(TypedDict):
    """One statement: a module that has it, its text, and the types of its parameters and columns."""

    module: str
    sql: str
    parameters: list[str]
    columns: dict[str, str]


def _texts(module: ModuleType) -> Iterator[str]:
    """The texts in a module that may be statements."""
    values = vars(module)
    yield from (value for value in values.values() if isinstance(value, str))
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            with suppress(Exception):  # it is built from arguments
                yield eval(compile(ast.Expression(node), module.__name__, "eval"), values)  # our own code


def _candidates() -> dict[str, str]:
    """Texts that begin as statements do, each with a module that has it."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for info in pkgutil.walk_packages(path, f"{package}."):
            for text in _texts(importlib.import_module(info.name)):
                sql = text.strip()
                if sql.lower().startswith(_VERBS):
                    found.setdefault(sql, info.name)
    return found


async def prepare(connection: "asyncpg.Connection[Any]", sql: str) -> tuple[list[str], dict[str, str]]:
    """Returns the types of a statement's parameters, and of its columns by their names. Raises asyncpg.PostgresError if
    Postgres cannot prepare it."""
    prepared = await connection.prepare(sql)
    columns = {attribute.name: attribute.type.name for attribute in prepared.get_attributes()}
    return [parameter.name for parameter in prepared.get_parameters()], columns


async def statements(connection: "asyncpg.Connection[Any]") -> list[Statement]:
    """Returns the statements of the code that run on a database with the present schema."""
    found = []
    for sql, module in sorted(_candidates().items(), key=lambda item: (item[1], item[0])):
        with suppress(asyncpg.PostgresError):
            parameters, columns = await prepare(connection, sql)
            found.append(Statement(module=module, sql=sql, parameters=parameters, columns=columns))
    return found
