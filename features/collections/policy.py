"""What a brand can change about collections."""

from dataclasses import dataclass

from features.documented import documented


@dataclass(frozen=True, slots=True)
class CollectionPolicy:
    max_collections: int = documented(200)
    """Of an account."""
    max_name_length: int = documented(50)
    """Characters (Unicode code points)."""
