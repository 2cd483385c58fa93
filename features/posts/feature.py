"""What this slice declares."""

from cluster.tables import PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.posts.consumers import consumers
from features.posts.erasure import erase
from features.posts.events import EVENTS
from features.posts.policy import PostPolicy
from features.posts.service import PostService
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> PostService:
    return PostService(scope.policy(PostPolicy), scope.service(ProfileService))


_UNTIL_DELETED = "until the author deletes the post"

POSTS = Feature(
    name="posts",
    needs=(ACCOUNTS, PROFILES, RELATIONSHIPS),
    policy=PostPolicy,
    service=_service,
    consumers=lambda _scope: consumers(),
    events=EVENTS,
    tables=(
        Table("posts", "author_id", _UNTIL_DELETED, subjects=("author_id",)),
        Table("post_versions", "post_id", _UNTIL_DELETED, part_of=PartOf("posts", "post_id")),
        Table("post_hashtags", "tag", _UNTIL_DELETED, part_of=PartOf("posts", "post_id")),
        Table("hashtag_counts", "tag", "for good: it names nobody"),
    ),
    erase=erase,
)
