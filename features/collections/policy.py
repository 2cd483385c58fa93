"""What a brand can change about collections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CollectionPolicy:
    max_collections: int = 200
    """Of an account."""
    max_name_length: int = 50
    """Characters (Unicode code points)."""
