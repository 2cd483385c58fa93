"""What this slice declares."""

from cluster.tables import PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.comments.consumers import CommentUpdates
from features.comments.erasure import erase
from features.comments.events import EVENTS
from features.comments.moderation import CommentModeration
from features.comments.policy import CommentPolicy
from features.comments.recounts import COUNTS
from features.comments.service import CommentService
from features.counters.feature import COUNTERS
from features.counters.service import CounterService
from features.feature import Feature, Scope
from features.posts.feature import POSTS
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> CommentService:
    policy = scope.policy(CommentPolicy)
    return CommentService(policy, scope.service(ProfileService), CommentModeration(policy), scope.cursors)


def _updates(scope: Scope) -> CommentUpdates:
    return CommentUpdates(scope.service(CounterService))


COMMENTS = Feature(
    name="comments",
    needs=(ACCOUNTS, COUNTERS, POSTS, PROFILES, RELATIONSHIPS),
    tables=(
        Table("comments", "post_id", "until it, its post or its author is deleted", subjects=("author_id",)),
        Table("comment_restrictions", "post_id", "until the post is deleted", part_of=PartOf("posts", "post_id")),
        Table("comment_filters", "account_id", "as long as the account", subjects=("account_id",)),
    ),
    events=EVENTS,
    policy=CommentPolicy,
    service=_service,
    consumers=lambda scope: _updates(scope).consumers(),
    reaction=lambda scope: _updates(scope).after_commit,
    erase=erase,
    counts=COUNTS,
)
