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

    @property
    def merged_above(self) -> int:
        """Readers above which a timeline that is loaded merges an author. Fewer than `heavy_above`, so that it has
        those who grow heavy without a post."""
        return self.heavy_above * 9 // 10

    @property
    def told_up_to(self) -> int:
        """Readers up to which a heavy author's readers are told so with every post: who has just shrunk and grown again
        has readers that know nothing of it."""
        return self.heavy_above * 11 // 10
