"""Sealed cursors: their list opens them, nothing else does, and they show nothing of what they hold."""

from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.paging import BadCursor, Cursor, PageRequest
from features.sealed_cursors import SealedCursors, SealedPageRequest
from tests.unit.test_paging import TIMES

BRAND = SealedCursors.of_brand(b"secret", "entativa")
LIST = BRAND.of("hashtag lisbon")
CURSORS = st.builds(Cursor, TIMES, st.uuids())


@given(CURSORS)
def test_a_list_opens_its_own_cursors_and_no_others(cursor: Cursor) -> None:
    sealed = LIST.seal(cursor)
    assert len(sealed) <= 64
    assert LIST.open(SealedPageRequest(7, sealed)) == PageRequest(7, cursor)
    assert LIST.seal(cursor) == sealed, "or a page would have another ETag each time"
    others = [BRAND.of("hashtag porto"), SealedCursors.of_brand(b"secret", "vignette").of("hashtag lisbon")]
    others.append(SealedCursors.of_brand(b"other secret", "entativa").of("hashtag lisbon"))
    for other in others:
        with pytest.raises(BadCursor):
            other.open(SealedPageRequest(7, sealed))
    with pytest.raises(BadCursor):
        Cursor.decode(sealed)


@given(CURSORS)
def test_a_sealed_cursor_holds_neither_time_nor_id(cursor: Cursor) -> None:
    shown, packed = urlsafe_b64decode(LIST.seal(cursor) + "=="), cursor.pack()
    assert packed[8:] not in shown
    assert packed[:8] not in shown


@given(
    CURSORS.map(lambda cursor: cursor.encode())
    | CURSORS.map(lambda cursor: LIST.seal(cursor)[::-1])
    | st.text(min_size=1)
)
def test_a_position_that_somebody_chose_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        LIST.open(SealedPageRequest(7, text))


@pytest.mark.parametrize("cursor", [None, ""])
def test_the_first_page_has_no_cursor(cursor: str | None) -> None:
    assert LIST.open(SealedPageRequest(7, cursor)) == PageRequest(7)
