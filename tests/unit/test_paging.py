"""Cursors: what was encoded comes back; anything else is refused by name."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import Invalid
from features.paging import Cursor, page_of

TIMES = st.timedeltas(timedelta(0), timedelta(days=80_000)).map(lambda age: datetime(1970, 1, 1, tzinfo=UTC) + age)


@given(TIMES, st.uuids())
def test_a_cursor_survives_the_round_trip(at: datetime, id: UUID) -> None:
    assert Cursor.decode(Cursor(at, id).encode()) == Cursor(at, id)


@given(st.text(max_size=31) | st.text(min_size=33, max_size=64))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Cursor.decode(text)
    assert refusal.value.field == "cursor"


@pytest.mark.parametrize(("count", "more"), [(0, False), (3, False), (4, True)])
def test_the_extra_row_only_proves_that_there_is_more(count: int, more: bool) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [Cursor(start - timedelta(hours=number), UUID(int=number)) for number in range(count)]
    page = page_of(rows, 3, lambda row: row)
    assert len(page.items) == min(count, 3)
    assert page.next_cursor == (rows[2].encode() if more else None)
