"""Which posts a reader has reposted, for feeds that render posts once for all."""

from collections.abc import Sequence
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.posts.privacy import visible_to

_OWN = f"""
select posts.reposted_id from posts
where posts.author_id = $1 and posts.reposted_id = any($2::uuid[]) and {visible_to("$1::uuid")}
"""


async def own_reposts(uow: UnitOfWork, viewer_id: UUID, post_ids: Sequence[UUID]) -> set[UUID]:
    """Returns those of the posts that the viewer has reposted. One statement if there are any."""
    if not post_ids:
        return set()
    return {row["reposted_id"] for row in await uow.fetch(_OWN, viewer_id, post_ids)}
