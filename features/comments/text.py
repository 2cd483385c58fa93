"""The rules for the text of a comment, and filter words."""

from collections.abc import Sequence
from dataclasses import dataclass

from features.comments.errors import BadFilterWord, TooManyEmoji, TooManyLines, TooManyPeopleMentioned
from features.comments.policy import CommentPolicy
from features.posts.text import Hashtag, Mention, parse
from features.text import clean_paragraphs, is_blank, normalise
from features.text_errors import EmptyText

_PICTURES = ((0x1F000, 0x1FAFF), (0x2600, 0x27BF), (0x2B00, 0x2BFF))
"""Blocks of Unicode in which emoji are. Selectors, skin tones and joiners make no further ones."""
_SKIN_TONES = range(0x1F3FB, 0x1F400)


@dataclass(frozen=True, slots=True)
class CommentText:
    """A text as it is stored, and what was found in it."""

    text: str
    found: list[Hashtag | Mention]

    @property
    def usernames(self) -> list[str]:
        """The different usernames that may be mentioned."""
        return sorted({entity.username for entity in self.found if isinstance(entity, Mention)})


def parse_text(text: str, policy: CommentPolicy) -> CommentText:
    """Returns a text in normal form C, with its hashtags and mentions. Raises Invalid, naming the field `text`."""
    text = clean_paragraphs(text, field="text", max_characters=policy.max_text_length)
    if is_blank(text):
        raise EmptyText("A comment needs a text with a visible character.", field="text")
    if text.count("\n") >= policy.max_lines:
        raise TooManyLines(f"A comment has at most {policy.max_lines} lines.")
    if emoji_in(text) > policy.max_emoji:
        raise TooManyEmoji(f"A comment has at most {policy.max_emoji} emoji.")
    parsed = CommentText(text, parse(text))
    if len(parsed.usernames) > policy.max_mentions:
        raise TooManyPeopleMentioned(f"A comment mentions at most {policy.max_mentions} people.")
    return parsed


def emoji_in(text: str) -> int:
    """Returns the number of emoji, about: a family or a flag may count as several."""
    return sum(1 for character in text if _is_picture(ord(character)))


def clean_words(words: Sequence[str], policy: CommentPolicy) -> list[str]:
    """Returns filter words in the form in which they are compared, each once. Raises BadFilterWord."""
    if len(words) > policy.max_filter_words:
        raise BadFilterWord(f"There are at most {policy.max_filter_words} filter words.")
    found = {normalise(word).strip() for word in words}
    if any(is_blank(word) or len(word) > policy.max_filter_word_length for word in found):
        raise BadFilterWord(f"A filter word has 1 to {policy.max_filter_word_length} characters.")
    return sorted(found)


def has_filtered(text: str, words: Sequence[str]) -> bool:
    """Returns whether one of the words is in a text: as a whole word if it begins and ends with letters or digits,
    otherwise anywhere. Case, width and what is not rendered do not count."""
    text = normalise(text)
    # Words that were stored by earlier versions have characters that are not rendered, such as those of emoji.
    return any(_contains(text, word if word.isascii() else normalise(word)) for word in words)


def _contains(text: str, word: str) -> bool:
    start = text.find(word) if word else -1
    while start >= 0:
        end = start + len(word)
        before = start > 0 and text[start - 1].isalnum() and word[0].isalnum()
        after = end < len(text) and text[end].isalnum() and word[-1].isalnum()
        if not before and not after:
            return True
        start = text.find(word, start + 1)
    return False


def _is_picture(code: int) -> bool:
    return code not in _SKIN_TONES and any(first <= code <= last for first, last in _PICTURES)
