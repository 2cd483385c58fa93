"""What this slice declares."""

from cluster.events.consumer import Consumer
from cluster.tables import PartOf, Table
from cluster.web import PageFetcher, PublicNetwork
from features.accounts.feature import ACCOUNTS
from features.counters.feature import COUNTERS
from features.counters.service import CounterService
from features.feature import Feature, Scope
from features.media.feature import MEDIA
from features.media.service import MediaService
from features.posts.composing import Composer
from features.posts.consumers import consumers
from features.posts.drafting import Drafts
from features.posts.erasure import erase
from features.posts.events import EVENTS
from features.posts.link_previews import LinkPreviews
from features.posts.policy import PostPolicy
from features.posts.recounts import COUNTS
from features.posts.scheduling import run_schedule
from features.posts.service import PostService
from features.posts.settings import POST_SETTINGS
from features.posts.share_counts import ShareCounts
from features.posts.sharing import Shares, undo_between
from features.posts.videos import video_consumers
from features.posts.voting import Polls
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS
from features.videos.feature import VIDEOS
from features.videos.service import VideoService


def _service(scope: Scope) -> PostService:
    policy = scope.policy(PostPolicy)
    profiles, media = scope.service(ProfileService), scope.service(MediaService)
    cursors = scope.cursors
    shares = Shares(profiles, cursors)
    composer = Composer(policy, profiles, shares, media, scope.service(VideoService))
    return PostService(policy, profiles, composer, Polls(), shares, Drafts(policy, composer, media), media, cursors)


def _consumers(scope: Scope) -> list[Consumer]:
    policy = scope.policy(PostPolicy)
    links = LinkPreviews(policy, PageFetcher(PublicNetwork()), scope.now)
    videos = video_consumers(scope.service(VideoService), scope.now)
    return [*consumers(policy, scope.now), *links.consumers(), *videos, *_share_counts(scope).consumers()]


def _share_counts(scope: Scope) -> ShareCounts:
    return ShareCounts(scope.service(CounterService))


_UNTIL_DELETED = "until the author deletes the post"

POSTS = Feature(
    name="posts",
    needs=(ACCOUNTS, COUNTERS, MEDIA, PROFILES, RELATIONSHIPS, VIDEOS),
    policy=PostPolicy,
    service=_service,
    consumers=_consumers,
    reaction=lambda scope: _share_counts(scope).after_commit,
    background=run_schedule,
    counts=COUNTS,
    events=EVENTS,
    settings=(POST_SETTINGS,),
    tables=(
        Table("posts", "author_id", _UNTIL_DELETED, subjects=("author_id",)),
        Table("post_drafts", "author_id", "until they are published or deleted", subjects=("author_id",)),
        Table("post_versions", "post_id", _UNTIL_DELETED, part_of=PartOf("posts", "post_id")),
        Table("post_hashtags", "tag", _UNTIL_DELETED, part_of=PartOf("posts", "post_id")),
        # Of the votes, an account's export has its own. Results are what the API shows of them (polls.py).
        Table("poll_votes", "post_id", _UNTIL_DELETED, part_of=PartOf("posts", "post_id"), subjects=("voter_id",)),
        Table(
            "poll_counts",
            "post_id",
            _UNTIL_DELETED,
            part_of=PartOf("posts", "post_id"),
            secrets=("voters", "counts"),
        ),
        Table(
            "saved_posts", "account_id", "until the account or the post's author removes it", subjects=("account_id",)
        ),
        Table("hashtag_counts", "tag", "for good: it names nobody"),
    ),
    on_block=undo_between,
    erase=erase,
)
