"""Follows what becomes of videos that posts show. It is stored with the post, so that lists of posts have it without a
statement more."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import orjson

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.events import consumer, publish
from features.media.queries import holder
from features.posts.attachments import of_video
from features.posts.events import MediaUpdated
from features.posts.model import Appearance
from features.videos.events import Failed, Playable, Ready, VideoEvent
from features.videos.service import VideoService


def video_consumers(videos: VideoService, now: Callable[[], datetime]) -> list[Consumer]:
    """The consumers of videos in posts."""

    async def follow(uow: UnitOfWork, event: VideoEvent) -> None:
        found = await videos.of_media(uow, [event.media_id])
        if event.media_id not in found:
            return
        post_id = await _update(uow, event.media_id, of_video(found[event.media_id]))
        if post_id is not None:
            publish(uow, MediaUpdated(post_id), now())

    return [consumer("posts.videos", (Playable, Ready, Failed), follow)]


def _statement(table: str, id: str = "id") -> str:
    return f"""
update {table} set media = (
    select jsonb_agg(case when item ->> 'id' = $1::uuid::text then item || $2::jsonb else item end order by position)
    from jsonb_array_elements(media) with ordinality as each (item, position)
)
where {id} = {holder("$1")} and media @> jsonb_build_array(jsonb_build_object('id', $1::uuid::text)) returning {id}"""


_DRAFT, _POST = _statement("post_drafts"), _statement("posts")
_VERSIONS = _statement("post_versions", "post_id")


async def _update(uow: UnitOfWork, media_id: UUID, appearance: Appearance) -> UUID | None:
    """Stores how a medium looks with what shows it. Returns the post, if it is one."""
    stored = orjson.dumps(appearance).decode()
    # First, since it waits for whoever is making a post of the draft: then there is the post.
    await uow.execute(_DRAFT, media_id, stored)
    post_id: UUID | None = await uow.fetchval(_POST, media_id, stored)
    await uow.execute(_VERSIONS, media_id, stored)
    return post_id
