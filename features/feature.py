"""What a slice declares about itself, in features/<name>/feature.py.

A brand lists its features; the composition (deployments/platform.py) and the life cycle of accounts
(features/life_cycle.py) are loops over them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from cluster.tables import Table
from features.account_state import AccountState

OnBlock = Callable[[UnitOfWork, UUID, UUID, datetime], Awaitable[None]]
"""Called with (blocker, blocked) in the transaction of the block."""

OnAccountState = Callable[[UnitOfWork, UUID, AccountState, datetime], Awaitable[None]]
"""Called with the account and its new state in the transaction of the change."""

Erase = Callable[[UnitOfWork, UUID, int, datetime], Awaitable[bool]]
"""Erases about as many of an account's rows as the number says, and returns whether rows may be left. It is called
again, in another transaction, until none are. Rows that others count (a follower, a hashtag) are taken out of their
counts."""

Record = Mapping[str, Any]
"""A row as an export shows it: JSON values, UUIDs and times."""

Export = Callable[[UnitOfWork, UUID], AsyncIterator[tuple[str, Record]]]
"""Everything that the slice knows about an account: names of tables, each with one of its rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One slice.

    Without `erase` and `export`, the rows of its tables are erased and exported as the tables declare
    (features/account_rows.py)."""

    name: str
    needs: tuple[Feature, ...] = ()
    """The features whose services or tables this one uses."""
    tables: tuple[Table, ...] = ()
    on_block: OnBlock | None = None
    on_account_state: OnAccountState | None = None
    erase: Erase | None = None
    export: Export | None = None


def in_order(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Returns the features, each after those it needs. Raises ValueError for a feature that needs one that is not among
    them."""
    waiting = list(features)
    offered, placed = set(waiting), list[Feature]()
    for feature in waiting:
        if missing := [need.name for need in feature.needs if need not in offered]:
            raise ValueError(f"{feature.name} needs {', '.join(missing)}")
    while waiting:
        # `needs` are values made before the feature itself, so there is no circle and one is always ready.
        ready = next(feature for feature in waiting if all(need in placed for need in feature.needs))
        waiting.remove(ready)
        placed.append(ready)
    return tuple(placed)
