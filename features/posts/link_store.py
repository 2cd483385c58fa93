"""SQL of links in posts."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cluster.postgres import UnitOfWork
from features.posts.privacy import visible_to
from features.posts.views import Row

_TEXTS = f"select id, text, link_url from posts where id = any($1::uuid[]) and {visible_to('posts.author_id')}"


async def texts(uow: UnitOfWork, post_ids: Collection[UUID]) -> list[Row]:
    """Returns the texts of posts, and the links that are known to be in them. Begins no transaction: in most batches
    no post has a link, and nothing is written but the consumer's offset."""
    return [*await uow.read(_TEXTS, list(post_ids))]


async def set_links(uow: UnitOfWork, links: Mapping[UUID, str | None]) -> None:
    """Notes which page each post links to; of what is in the text no more, the preview goes."""
    await uow.execute(_SET_LINKS, list(links), list(links.values()))


_SET_LINKS = """
update posts set link_url = found.url, link = null from unnest($1::uuid[], $2::text[]) as found (id, url)
where posts.id = found.id
"""

_FIND = f"""
select link_url, link, (
    select other.link from posts as other
    where md5(other.link_url) = md5(posts.link_url) and other.link_url = posts.link_url
        and other.link is not null and other.link_fetched_at > $2
    order by other.link_fetched_at desc limit 1
) as fresh
from posts where id = $1 and {visible_to("posts.author_id")}
"""


async def find(uow: UnitOfWork, post_id: UUID, fetched_after: datetime) -> Row | None:
    """Returns the link of a post (`link_url`), and what was fetched of its page after a time for any post (`fresh`)."""
    return await uow.fetchrow(_FIND, post_id, fetched_after)


_KEEP = f"""
update posts set link = $2::jsonb, link_fetched_at = $3 where id = any(array(
    select id from posts
    where md5(link_url) = md5($1) and link_url = $1 and link is distinct from $2::jsonb
        and {visible_to("posts.author_id")}
    limit $4 for update
)) returning id
"""


async def keep(uow: UnitOfWork, url: str, link: dict[str, Any], fetched_at: datetime, limit: int) -> list[UUID]:
    """Stores what a page says about itself for up to `limit` posts that link to it and do not have it yet. Returns
    these."""
    return [row["id"] for row in await uow.fetch(_KEEP, url, orjson.dumps(link).decode(), fetched_at, limit)]


_NOTE_REFUSAL = """
update posts set link = $3::jsonb, link_fetched_at = $4 where id = $1 and link_url = $2 and link is null
"""


async def note_refusal(uow: UnitOfWork, post_id: UUID, url: str, link: dict[str, Any], fetched_at: datetime) -> None:
    """Notes for one post without a preview that its page gave none. Others keep what they have of the page."""
    await uow.execute(_NOTE_REFUSAL, post_id, url, orjson.dumps(link).decode(), fetched_at)
