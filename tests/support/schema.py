"""The schema on record (tests/integration/schema.sql), read without a database."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PATH = Path(__file__).parents[1] / "integration" / "schema.sql"

_TABLE = re.compile(r"^CREATE TABLE public\.(\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(
    r"ALTER TABLE ONLY public\.(\w+)\s+ADD CONSTRAINT \w+ FOREIGN KEY \((\w+)\) REFERENCES public\.(\w+)\(\w+\)([^;]*);"
)
_KEY = re.compile(r"ALTER TABLE ONLY public\.(\w+)\s+ADD CONSTRAINT (\w+) (?:PRIMARY KEY|UNIQUE) \(([^;]*)\);")
_UNIQUE_INDEX = re.compile(r"CREATE UNIQUE INDEX (\w+) ON public\.(\w+) USING btree \(([^;]*?)\)(?: WHERE [^;]*)?;")


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of one column."""

    column: str
    table: str
    cascades: bool


@dataclass(slots=True)
class TableSchema:
    """A table: its columns, foreign keys, and the expressions of each unique constraint by name."""

    columns: set[str]
    references: list[Reference] = field(default_factory=list)
    unique: dict[str, list[str]] = field(default_factory=dict)


@cache
def recorded_tables() -> dict[str, TableSchema]:
    """All tables by name."""
    text = PATH.read_text()
    tables = {
        name: TableSchema(set(re.findall(r"^    \"?(\w+)\"? ", body, re.MULTILINE)) - {"CONSTRAINT"})
        for name, body in _TABLE.findall(text)
    }
    for table, column, other, options in _REFERENCE.findall(text):
        tables[table].references.append(Reference(column, other, "ON DELETE CASCADE" in options))
    for table, name, columns in _KEY.findall(text):
        tables[table].unique[name] = [column.strip() for column in columns.split(",")]
    for name, table, columns in _UNIQUE_INDEX.findall(text):
        tables[table].unique[name] = [column.strip() for column in columns.split(",")]
    return tables
