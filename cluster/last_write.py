"""The only write of a unit of work, sent at its commit in one statement with the events that it publishes."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from cluster.events.outbox import insert_statement


@dataclass(frozen=True, slots=True)
class LastWrite:
    """What `write_at_commit` was given."""

    statement: str
    arguments: tuple[Any, ...]
    refused: Exception


WRITTEN = "select count(*) from written"
"""The end of a statement for `write_at_commit`."""


@cache
def publishing(statement: str, arguments: int) -> str:
    """Returns a last write with this number of arguments that also writes events, if it takes place."""
    events = insert_statement(first=arguments + 1, condition="exists (select from written)")
    return f"{statement.removesuffix(WRITTEN)}, published as ({events}) {WRITTEN}"
