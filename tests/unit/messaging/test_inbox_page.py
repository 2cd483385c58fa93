"""A page of an inbox ends at a number of messages, or with the message that makes it large."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from features.devices.model import DeviceAddress
from features.messaging.inbox_page import first_page
from features.messaging.model import ConversationKind, Delivery
from features.paging import Page

ID, NOW = UUID(int=1), datetime(2026, 11, 27, tzinfo=UTC)


def of_bytes(*sizes: int) -> list[Delivery]:
    sender = DeviceAddress(ID, 1)
    return [
        Delivery(ID, ConversationKind.PAIR, ID, seq, 0, sender, ID, NOW, bytes(size))
        for seq, size in enumerate(sizes, 1)
    ]


def page(sizes: list[int], limit: int, max_bytes: int) -> tuple[int, bool]:
    """How many messages are on it, and whether it says that more may wait."""
    waiting = of_bytes(*sizes)
    found: Page[Delivery] = first_page(waiting, limit, max_bytes)  # type: ignore[assignment]
    assert list(found.items) == waiting[: len(found.items)]
    if found.next_cursor is not None:
        assert found.next_cursor == found.items[-1].cursor().encode()
    return len(found.items), found.next_cursor is not None


def test_it_ends_at_its_limit() -> None:
    assert page([1, 1, 1], 2, 100) == (2, True)
    assert page([1, 1], 2, 100) == (2, False)
    assert page([], 2, 100) == (0, False)


def test_it_ends_with_the_message_that_makes_it_large() -> None:
    assert page([4, 5, 6, 7], 10, 10) == (3, True)
    assert page([100], 10, 10) == (1, True), "where reading stops, more may wait"
    assert page([4, 5], 10, 10) == (2, False)
