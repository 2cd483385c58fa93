"""What a brand can change about counters."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CounterPolicy:
    max_known: int = 1_024
    """Reactions to a target that its entity has in memory. To a target with more it has those of whoever asked or
    reacted last, and reads others' from Postgres."""
