"""The SQL statements of the code, and what each takes and returns, as Postgres understands it.

Statements are the texts that modules hold, also in containers and objects of ours, those that are written where they
run, and those that are made of the declared tables. No statement is built from arguments where it runs: the tests fail
for one that is not found here (`unknown`). A text that Postgres cannot prepare is only a part of statements."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

import asyncpg

from actors.runtime.store.tables import RUNTIME_TABLES
from cluster.last_write import WRITTEN, publishing
from cluster.retention import sweep_statement
from cluster.tables import PLATFORM_TABLES
from features.account_rows import disclosing, erasing, exporting
from tests.support.features import FEATURES

PACKAGES = ("actors", "api", "cluster", "features")
RECORDED = Path(__file__).parents[1] / "integration" / "statements"
"""What `statements` returned, by the newest migration that the code had: `NNNN.json`."""
VERBS = ("select", "insert", "update", "delete", "with")
_PARAMETER = re.compile(r"\$(\d+)")


class Statement(TypedDict):
    """One statement: a module that has it, its text, and the types of its parameters and columns."""

    module: str
    sql: str
    parameters: list[str]
    columns: dict[str, str]


def _held(value: object, depth: int = 3) -> Iterator[str]:
    """The texts in a module's variable."""
    if isinstance(value, str):
        yield value
    elif depth:
        held: Collection[object] = ()
        if isinstance(value, Mapping):
            held = value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            held = value
        elif type(value).__module__.startswith(PACKAGES):
            held = getattr(value, "__dict__", {}).values()
        for each in held:
            yield from _held(each, depth - 1)


def _texts(module: ModuleType) -> Iterator[str]:
    """The texts in a module that may be statements."""
    values = vars(module)
    for name, value in values.items():
        if not name.startswith("__"):
            yield from _held(value)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            with suppress(Exception):  # it is a part, built from arguments
                yield eval(compile(ast.Expression(node), module.__name__, "eval"), values)  # our own code


def _of_tables() -> Iterator[tuple[str, str]]:
    """The statements that are made of declared tables, each with the module that makes it."""
    for tables in (PLATFORM_TABLES, RUNTIME_TABLES, *(feature.tables for feature in FEATURES)):
        for table in tables:
            if table.expiry:
                yield sweep_statement(table.name, table.expiry), "cluster.retention"
    for feature in FEATURES:
        yield from ((sql, "features.account_rows") for sql in erasing(feature.tables))
        for made in (exporting, disclosing):
            yield from ((sql, "features.account_rows") for _, sql in made(feature.tables))


@cache
def candidates() -> dict[str, str]:
    """Texts that begin as statements do, each with a module that has it."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for info in pkgutil.walk_packages(path, f"{package}."):
            for text in _texts(importlib.import_module(info.name)):
                sql = text.strip()
                if sql.lower().startswith(VERBS):
                    found.setdefault(sql, info.name)
    found.update(_of_tables())
    for sql, module in list(found.items()):
        if sql.endswith(WRITTEN) and sql != WRITTEN:
            arguments = max(int(number) for number in _PARAMETER.findall(sql))
            found[publishing(sql, arguments).strip()] = module
    return found


@cache
def _newest_recorded() -> frozenset[str]:
    path = max(RECORDED.glob("*.json"))
    return frozenset(statement["sql"] for statement in json.loads(path.read_text()))


def unknown(sent: set[str]) -> set[str]:
    """Returns those of the statements sent that `statements` would not find. What is on record is asked first: the code
    is read for a statement that is new."""
    texts = {sql.strip() for sql in sent} - _newest_recorded()
    return texts - candidates().keys() if texts else texts


async def prepare(connection: "asyncpg.Connection[Any]", sql: str) -> tuple[list[str], dict[str, str]]:
    """Returns the types of a statement's parameters, and of its columns by their names. Raises asyncpg.PostgresError if
    Postgres cannot prepare it."""
    prepared = await connection.prepare(sql)
    columns = {attribute.name: attribute.type.name for attribute in prepared.get_attributes()}
    return [parameter.name for parameter in prepared.get_parameters()], columns


async def statements(connection: "asyncpg.Connection[Any]") -> list[Statement]:
    """Returns the statements of the code that run on a database with the present schema."""
    found = []
    for sql, module in sorted(candidates().items(), key=lambda item: (item[1], item[0])):
        with suppress(asyncpg.PostgresError):
            parameters, columns = await prepare(connection, sql)
            found.append(Statement(module=module, sql=sql, parameters=parameters, columns=columns))
    return found
