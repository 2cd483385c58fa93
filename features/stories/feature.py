"""What this slice declares."""

from cluster.events.consumer import Consumer
from cluster.tables import PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.counters.feature import COUNTERS
from features.counters.service import CounterService
from features.feature import Feature, Scope
from features.media.feature import MEDIA
from features.media.service import MediaService
from features.posts.feature import POSTS
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS
from features.settings.feature import SETTINGS
from features.settings.service import SettingsService
from features.stories.consumers import StoryCleanup, follow_videos
from features.stories.erasure import erase, forget_views_between
from features.stories.events import EVENTS
from features.stories.highlights import Highlights
from features.stories.policy import StoryPolicy
from features.stories.recounts import COUNTS
from features.stories.service import StoryService
from features.stories.settings import REPLIES, SECTION, STORY_SETTINGS, ReplyAudience
from features.stories.views import StoryViews
from features.videos.feature import VIDEOS
from features.videos.service import VideoService


def _service(scope: Scope) -> StoryService:
    policy, profiles, media = scope.policy(StoryPolicy), scope.service(ProfileService), scope.service(MediaService)
    videos, counters = scope.service(VideoService), scope.service(CounterService)
    views = StoryViews(media, ReplyAudience(scope.service(SettingsService).schema.defaults[SECTION][REPLIES]))
    highlights = Highlights(policy, profiles, views)
    return StoryService(policy, profiles, media, videos, counters, highlights, views, scope.cursors)


def _consumers(scope: Scope) -> list[Consumer]:
    return [*StoryCleanup(scope.service(CounterService)).consumers(), follow_videos(scope.service(VideoService))]


_UNTIL_DELETED = "until the author deletes the story"

STORIES = Feature(
    name="stories",
    needs=(ACCOUNTS, COUNTERS, MEDIA, POSTS, PROFILES, RELATIONSHIPS, SETTINGS, VIDEOS),
    policy=StoryPolicy,
    service=_service,
    consumers=_consumers,
    events=EVENTS,
    settings=(STORY_SETTINGS,),
    counts=COUNTS,
    tables=(
        Table("stories", "author_id", _UNTIL_DELETED, subjects=("author_id",)),
        Table("story_highlights", "author_id", "until the author deletes it", subjects=("author_id",)),
        Table(
            "highlighted_stories",
            "highlight_id",
            "until the highlight or the story is deleted",
            part_of=PartOf("story_highlights", "highlight_id"),
        ),
        # Who has seen a story is that person's data: the author's export does not have it.
        Table(
            "story_views", "story_id", _UNTIL_DELETED, part_of=PartOf("stories", "story_id"), subjects=("viewer_id",)
        ),
    ),
    on_block=forget_views_between,
    erase=erase,
)
