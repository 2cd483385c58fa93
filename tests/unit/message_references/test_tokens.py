"""Tokens of references: only those that were made with the key."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from features.message_references.model import Reference, ReferenceKind
from features.message_references.tokens import derive_key, open_token, seal

TARGET = UUID("0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11")
ACCOUNT = UUID("0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c12")
AT = datetime(2026, 11, 22, 15, 4, 5, 123456, tzinfo=UTC)
KEY = derive_key(b"secret", "entativa")
REFERENCE = Reference(ReferenceKind.STORY_REPLY, TARGET, ACCOUNT, AT)
TOKEN = seal(REFERENCE, KEY)


@pytest.mark.parametrize("kind", ReferenceKind)
def test_a_token_says_what_was_sealed(kind: ReferenceKind) -> None:
    reference = Reference(kind, TARGET, ACCOUNT, AT)
    token = seal(reference, KEY)
    assert len(token) == 80
    assert open_token(token, KEY) == reference


def test_a_token_that_was_changed_or_made_with_another_key_is_none() -> None:
    for other in (derive_key(b"secret", "vignette"), derive_key(b"other", "entativa")):
        assert open_token(TOKEN, other) is None
    for index, character in enumerate(TOKEN):
        changed = TOKEN[:index] + ("A" if character != "A" else "B") + TOKEN[index + 1 :]
        assert open_token(changed, KEY) is None, index
    for text in ("", "A", "%", "ä" * 80, TOKEN[:-4], TOKEN + "AAAA", TOKEN + "=", "A" * 80):
        assert open_token(text, KEY) is None, text
