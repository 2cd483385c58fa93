"""docs/scale.md says of every table by which key it would be distributed, and of everything that stands in the way of
that what would be done about it."""

import re
from pathlib import Path

import pytest

from cluster.tables import Table
from tests.support.schema import recorded_tables
from tests.unit.brands.test_tables import OWNED

PAGE = (Path(__file__).parents[3] / "docs" / "scale.md").read_text()
KEYS = {table.name: table.distributed_by for table in OWNED}


def test_the_page_has_the_declared_keys() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`|copied) \|$", PAGE, re.MULTILINE)
    assert {table: key or None for table, key in listed} == KEYS


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_a_unique_constraint_contains_the_key_or_has_a_word(table: Table) -> None:
    for name, columns in recorded_tables()[table.name].unique.items():
        assert table.distributed_by in (None, *(column.strip('"') for column in columns)) or f"`{name}`" in PAGE


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_a_foreign_key_joins_rows_of_one_key_or_has_a_word(table: Table) -> None:
    for reference in recorded_tables()[table.name].references:
        one_key = table.distributed_by == reference.column and KEYS[reference.table] == "id"
        assert one_key or f"`{table.name}.{reference.column}`" in PAGE, reference
