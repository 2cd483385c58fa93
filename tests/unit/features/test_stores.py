"""Stores return dataclasses and rows: what a value is, its name says, and not its place."""

import ast
from pathlib import Path

import pytest

import actors
import features

STORES = [
    *sorted(Path(features.__file__).parent.glob("*/**/*store.py")),
    *sorted(Path(actors.__file__).parent.glob("runtime/store/*.py")),
]


def _results_without_names(module: ast.Module) -> list[str]:
    """The public functions that ask the database and return tuples."""
    return [
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")
        if node.returns is not None and "tuple[" in ast.unparse(node.returns).lower()
    ]


def _columns_by_number(module: ast.Module) -> list[str]:
    """Expressions that take a part of one thing by its number. Of a list, whose name is a plural, that is an item."""
    return [
        ast.unparse(node)
        for node in ast.walk(module)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant | ast.UnaryOp)
        if isinstance(ast.literal_eval(node.slice), int)
        if not (isinstance(node.value, ast.Call) or (isinstance(node.value, ast.Name) and node.value.id.endswith("s")))
    ]


@pytest.mark.parametrize("path", STORES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_a_store_returns_has_names(path: Path) -> None:
    module = ast.parse(path.read_text())
    assert _results_without_names(module) == []
    assert _columns_by_number(module) == []


def test_tuples_and_numbers_are_found() -> None:
    module = ast.parse("""
async def usage(uow) -> tuple[int, int]:
    row = await uow.fetchrow(SQL)
    return row[0], (await uow.fetch(SQL))[0], rows[0][-1], rows[0]["size"]

async def pairs(uow) -> list[tuple[UUID, UUID]]: ...
async def found(uow) -> Usage | None: ...
async def _columns(uow) -> tuple[str, str]: ...
""")
    assert _results_without_names(module) == ["usage", "pairs"]
    assert _columns_by_number(module) == ["row[0]", "(await uow.fetch(SQL))[0]", "rows[0][-1]"]
