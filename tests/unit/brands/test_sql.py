"""A slice reads no other slice's tables but through what that slice offers: its service, or parts of statements."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import features
from tests.support.features import FEATURES

ROOT = Path(features.__file__).parents[1]
OWNERS = {table.name: feature.name for feature in FEATURES for table in feature.tables}
PACKAGES = ["actors", "api", "cluster", "deployments", "features"]
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

_SQL = re.compile(r"\b(select|insert into|delete from|update \w+ set|join)\b")


def _texts(path: Path) -> Iterator[str]:
    """The texts of a module, docstrings aside. What stands in the braces of an f-string is left out: it is code, with
    texts of its own."""
    passed: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            parts = [part for part in node.values if isinstance(part, ast.Constant)]
            passed |= {id(part) for part in parts}
            yield " ... ".join(str(part.value) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield node.value


def _tables_in(sql: str) -> set[str]:
    """The tables that a statement, or a part of one, names: as a table, or before one of its columns."""
    if not _SQL.search(sql):
        return set()
    named = set(re.findall(r"\b(?:from|join|into|update|using)\s+(?:only\s+)?(\w+)", sql))
    named |= {name for names in re.findall(r"\busing\s+([\w, ]+?)\s+where", sql) for name in re.split(r"\W+", names)}
    return (named | set(re.findall(r"\b(\w+)\.\w", sql))) & OWNERS.keys()


def test_the_tables_of_a_statement_are_found() -> None:
    assert _tables_in("select posts.id from (select 1) as posts") == {"posts"}
    assert _tables_in("delete from list_members using blocks, lists where true") == {"list_members", "blocks", "lists"}
    assert _tables_in("update profiles set name = $1") == {"profiles"}
    assert _tables_in("Drops posts from timelines") == set()
    found = {table for path in MODULES for sql in _texts(path) for table in _tables_in(sql)}
    assert found == OWNERS.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_statements_name_the_own_slice_s_tables_only(path: Path) -> None:
    package, slice_name = path.relative_to(ROOT).parts[:2]
    for sql in _texts(path):
        owners = {OWNERS[table] for table in _tables_in(sql)}
        assert owners <= ({slice_name} if package == "features" else set()), sql
