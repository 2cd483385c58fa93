"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.counters.model import ReactionKind, TargetKind
from features.events import EventBody


@dataclass(frozen=True, slots=True)
class ReactionChange:
    """One account's reaction, and the one that it replaced. None: no reaction."""

    account_id: UUID
    kind: ReactionKind | None
    previous: ReactionKind | None


@dataclass(frozen=True, slots=True)
class TargetEvent(EventBody):
    """Something happened to the counters of a target."""

    key: ClassVar[str] = "target_id"
    target_id: UUID
    target_kind: TargetKind


@dataclass(frozen=True, slots=True)
class ReactionsChanged(TargetEvent):
    """Reactions to a target were stored or removed: those that one transaction stored together, each account once."""

    type: ClassVar[str] = "counters.reactions_changed"
    changes: tuple[ReactionChange, ...]


@dataclass(frozen=True, slots=True)
class CountsCorrected(TargetEvent):
    """The counts of a target were changed, but not by its entity: by an erasure, or by a recount."""

    type: ClassVar[str] = "counters.counts_corrected"


EVENTS = (ReactionsChanged, CountsCorrected)
