"""Deletes links to deleted posts."""

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.events import consumer
from features.posts.events import PostDeleted
from features.share_links import store

_FORGOTTEN_AT_ONCE = 1_000


def consumers() -> list[Consumer]:
    """The consumers of this slice."""
    return [consumer("share_links.forget", (PostDeleted,), _forget, outside=True)]


async def _forget(uow: UnitOfWork, event: PostDeleted) -> None:
    """Deletes the links to a deleted post, in several transactions."""
    while await store.forget(uow, event.post_id, _FORGOTTEN_AT_ONCE):
        await uow.commit()
