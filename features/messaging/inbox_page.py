"""A page of an inbox: bounded by a number of messages, and by their bytes."""

from collections.abc import Sequence

from features.groups.model import GroupDelivery
from features.messaging.model import Delivery
from features.paging import Page


def first_page(
    waiting: Sequence[Delivery | GroupDelivery], limit: int, max_bytes: int
) -> Page[Delivery | GroupDelivery]:
    """Returns the first of what waits: up to `limit` messages, none after those that have `max_bytes` together. With
    these, more may wait, also where nothing more was read."""
    size = 0
    for count, each in enumerate(waiting, 1):
        size += len((each.message if isinstance(each, GroupDelivery) else each.ciphertext) or b"")
        if size >= max_bytes or (count == limit and len(waiting) > limit):
            return Page(list(waiting[:count]), each.cursor().encode())
    return Page(list(waiting), None)
