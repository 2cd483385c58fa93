"""What a brand can change about comments."""

from dataclasses import dataclass

from features.documented import documented


@dataclass(frozen=True, slots=True)
class CommentPolicy:
    """Limits of a comment. Lengths are in Unicode code points."""

    max_depth: int = documented(8)
    """Levels below a post: a reply to a comment on the last one is refused."""
    max_text_length: int = documented(2_000)
    max_lines: int = documented(40)
    max_emoji: int = documented(50)
    max_mentions: int = 20
    """Different people mentioned in one comment."""
    max_filter_words: int = documented(200)
    max_filter_word_length: int = documented(50)
