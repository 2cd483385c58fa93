"""Tokens of links: only those that were made with the key, while they are good."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from features.share_links.tokens import derive_key, open_token, seal

LINK = UUID("0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = derive_key(b"secret", "entativa")
TOKEN = seal(LINK, NOW + timedelta(seconds=10), KEY)


def test_a_token_names_its_link_until_it_expires() -> None:
    assert seal(LINK, NOW + timedelta(seconds=10), KEY) == TOKEN
    assert open_token(TOKEN, KEY, NOW + timedelta(seconds=9)) == LINK
    assert open_token(TOKEN, KEY, NOW + timedelta(seconds=10)) is None


def test_a_token_that_was_changed_or_made_with_another_key_is_none() -> None:
    for other in (derive_key(b"secret", "vignette"), derive_key(b"other", "entativa")):
        assert open_token(TOKEN, other, NOW) is None
    for index, character in enumerate(TOKEN):
        changed = TOKEN[:index] + ("A" if character != "A" else "B") + TOKEN[index + 1 :]
        assert open_token(changed, KEY, NOW) is None, index
    for text in ("", "A", "%", "ä" * 56, TOKEN[:-4], TOKEN + "AAAA", TOKEN + "=", "A" * 56):
        assert open_token(text, KEY, NOW) is None, text
