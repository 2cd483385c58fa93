"""Deletes what was counted of deleted stories; follows what becomes of videos that stories show."""

from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.counters.model import Target, TargetKind
from features.counters.ports import CountersUnavailable
from features.counters.service import CounterService
from features.events import consumer
from features.posts.attachments import of_video
from features.stories import store
from features.stories.events import StoryDeleted
from features.videos.events import Failed, Playable, Ready, VideoEvent
from features.videos.service import VideoService


@dataclass(frozen=True, slots=True)
class StoryCleanup:
    """Follows the deletion of stories."""

    counters: CounterService

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        unavailable = (CountersUnavailable,)
        return [consumer("stories.forget", (StoryDeleted,), self._forget, outages=unavailable, outside=True)]

    async def _forget(self, uow: UnitOfWork, event: StoryDeleted) -> None:
        await self.counters.forget(uow, [Target(TargetKind.STORY, event.story_id)])


def follow_videos(videos: VideoService) -> Consumer:
    """The consumer that stores with a story what became of its video."""

    async def follow(uow: UnitOfWork, event: VideoEvent) -> None:
        if (video := (await videos.of_media(uow, [event.media_id])).get(event.media_id)) is not None:
            await store.update_medium(uow, event.media_id, of_video(video))

    return consumer("stories.videos", (Playable, Ready, Failed), follow)
