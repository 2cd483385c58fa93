"""Takes deleted posts out of what people have saved."""

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.events import consumer
from features.posts import saved_posts
from features.posts.events import PostDeleted

_FORGOTTEN_AT_ONCE = 1_000


def consumers() -> list[Consumer]:
    """The consumers of this slice."""
    return [consumer("collections.forget", (PostDeleted,), _forget, outside=True)]


async def _forget(uow: UnitOfWork, event: PostDeleted) -> None:
    """Deletes what refers to a deleted post, in several transactions: many may have saved it."""
    while await saved_posts.forget(uow, event.post_id, _FORGOTTEN_AT_ONCE):
        await uow.commit()
