"""What a brand may tune about the feed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """The newest-first feed has nothing to tune yet; ranking weights come here."""
