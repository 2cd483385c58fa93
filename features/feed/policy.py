"""What a brand may tune about the feed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """Numbers of the newest-first feed that is kept in memory."""

    kept: int = 400
    """Posts a reader's timeline keeps; whoever pages further is answered from Postgres."""
    heavy_above: int = 20_000
    """Readers above which an author's posts are not copied into every timeline but merged in when it is read."""
    fanout_chunk: int = 2_000
    """Timelines that are written to at once."""
