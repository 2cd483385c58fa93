"""What a slice declares about itself, in features/<name>/feature.py, and what it may use in a process.

A brand lists its features; the composition (deployments/platform.py) and the life cycle of accounts
(features/life_cycle.py) are loops over them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from cluster.events.consumer import Consumer
from cluster.postgres import Database, Reaction, UnitOfWork
from cluster.redis import Redis, StreamReader
from cluster.settings import Settings
from cluster.tables import Table
from features.account_state import AccountState
from features.events import EventBody
from features.ports import Port, Ports
from features.sealed_cursors import SealedCursors
from features.stored_counts import StoredCounts

S = TypeVar("S")
P = TypeVar("P")

OnBlock = Callable[[UnitOfWork, UUID, UUID, datetime], Awaitable[None]]
"""Called with (blocker, blocked) in the transaction of the block."""

OnAccountState = Callable[["Scope", UnitOfWork, UUID, AccountState, datetime], Awaitable[None]]
"""Called with the account and its new state in the transaction of the change."""

Erase = Callable[[UnitOfWork, UUID, int, datetime], Awaitable[bool]]
"""Erases about as many of an account's rows as the number says, and returns whether rows may be left. It is called
again, in another transaction, until none are. Rows that others count (a follower, a hashtag) are taken out of their
counts."""

Record = Mapping[str, Any]
"""A row as an export shows it: JSON values, UUIDs and times."""


class ExportedRow(NamedTuple):
    """A row of an export, and the name of its table."""

    table: str
    row: Record


Export = Callable[[UnitOfWork, UUID], AsyncIterator[ExportedRow]]
"""Everything that the slice knows about an account."""

Disclose = Callable[["Scope", UnitOfWork, UUID], AsyncIterator[ExportedRow]]
"""What authorities get about an account (docs/security/metadata.md)."""


class SettingsValues(BaseModel):
    """The base of the values of a section of settings. All fields have defaults and bounds, and no text that somebody
    wrote."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_serialization_defaults_required=True
    )


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """Settings that an account chooses together (features/settings). `apply` is called with the account and the new
    values in the transaction of a change: for values that statements of the slice look up, which it keeps in a table of
    its own."""

    name: str
    values: type[SettingsValues]
    apply: Callable[[UnitOfWork, UUID, Any], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class DurableTimer:
    """A durable timer that entities of a kind set for themselves, by its name."""

    name: str
    purpose: str
    """What its message has the entity do."""


@dataclass(frozen=True, slots=True)
class Entities:
    """A kind of sharded entity. `kind` ("package.module:ATTRIBUTE") is what the runtime hosts. Features reach the
    entities through `port`, which `calls` ("package.module:function") implements: the function is called with the
    process's router and database."""

    kind: str
    port: Port[Any]
    calls: str
    timers: tuple[DurableTimer, ...] = ()
    """A turn that sets another one fails."""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One slice. What is None or empty, it does not have."""

    name: str
    needs: tuple[Feature, ...] = ()
    """The features whose services, ports or tables this one uses."""
    tables: tuple[Table, ...] = ()
    events: tuple[type[EventBody], ...] = ()
    """What it publishes."""
    entities: tuple[Entities, ...] = ()
    settings: tuple[SettingsSection, ...] = ()
    policy: type[Any] | None = None
    """What a brand can change about it."""
    service: Callable[[Scope], object] | None = None
    """Makes the service. Those of needed features are made before."""
    consumers: Callable[[Scope], Sequence[Consumer]] | None = None
    """Reactions to events, from the event log."""
    reaction: Callable[[Scope], Reaction | None] | None = None
    """The reaction to events right after their commit, before the response; its consumers repeat what fails."""
    stream_reader: Callable[[Scope], StreamReader | None] | None = None
    """A Redis stream that gateways read along with the admission of each request. One feature of a brand has it."""
    background: Callable[[Scope], Coroutine[Any, Any, None]] | None = None
    """Work that goes on until it is cancelled, in every process with consumers: it survives outages of storage, and
    several processes do it at once."""
    on_block: OnBlock | None = None
    on_account_state: OnAccountState | None = None
    counts: tuple[StoredCounts, ...] = ()
    """What it stores of how many rows there are; `entativa counts` compares."""
    erase: Erase | None = None
    """Without it, rows are erased as the tables declare (features/account_rows.py)."""
    export: Export | None = None
    """Without it, rows are exported as the tables declare."""
    disclose: Disclose | None = None
    """Without it, authorities get the rows that the tables declare."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the slices of a brand share in one process. `services` are the services made so far, by their class."""

    brand: str
    """The brand's name: lower case, the prefix of Redis keys."""
    title: str
    """The name in texts."""
    features: tuple[Feature, ...]
    """The brand's features, each after those it needs."""
    policies: Mapping[type, object]
    settings: Settings
    database: Database
    redis: Redis
    ports: Ports
    now: Callable[[], datetime]
    services: dict[type, object] = field(default_factory=dict)

    @property
    def cursors(self) -> SealedCursors:
        """For lists that pass over what their reader may not see."""
        return SealedCursors.of_brand(self.settings.cluster_secret.get_secret_value().encode(), self.brand)

    def policy(self, kind: type[P]) -> P:
        """Returns the brand's policy of this class: what the brand sets, or the defaults."""
        found = self.policies.get(kind)
        return found if isinstance(found, kind) else kind()

    def service(self, kind: type[S]) -> S:
        """Returns the service of this class. Raises LookupError if the brand does not have it, or not yet."""
        found = self.find(kind)
        if found is None:
            raise LookupError(f"{self.brand} has no {kind.__name__}: does the feature that asks for it need its slice?")
        return found

    def find(self, kind: type[S]) -> S | None:
        """Returns the service of this class, or None: for features that not every brand has."""
        found = self.services.get(kind)
        return found if isinstance(found, kind) else None


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
