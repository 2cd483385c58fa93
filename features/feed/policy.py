"""What a brand can change about the feed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """Limits of the newest-first feed in memory."""

    max_posts: int = 400
    """Posts in a reader's timeline; pages further back come from Postgres."""
    max_blocks: int = 256
    """Blocks, of the reader and by others, up to which a timeline has the people. For a reader with more, every page
    that mentions somebody asks Postgres."""
    max_lists: int = 256
    """Authors' lists that a reader is on, up to which a timeline has them. For a reader who is on more, every page that
    has a post to a list asks Postgres."""
    high_fan_out_above: int = 20_000
    """Number of readers above which an author has a high fan-out: posts are not copied into the readers' timelines but
    merged in at read."""
    fan_out_batch: int = 2_000
    """Timelines written to at once."""

    @property
    def merged_above(self) -> int:
        """Number of readers above which a timeline that is loaded merges an author. Lower than `high_fan_out_above`, so
        that it includes authors who pass that number before their next post."""
        return self.high_fan_out_above * 9 // 10

    @property
    def cached_above(self) -> int:
        """Number of readers above which an author's posts invalidate what gateways have cached of the author's own
        timeline. Half of `merged_above`, since timelines may go on merging an author who has lost readers."""
        return self.merged_above // 2

    @property
    def announced_up_to(self) -> int:
        """Number of readers up to which every post of a high-fan-out author repeats the announcement to the readers: an
        author who fell below the limit and passed it again has readers that do not know it."""
        return self.high_fan_out_above * 11 // 10
