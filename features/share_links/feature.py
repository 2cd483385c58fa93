"""What this slice declares."""

from datetime import timedelta

from cluster.tables import Expiry, Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.posts.feature import POSTS
from features.posts.service import PostService
from features.share_links.consumers import consumers
from features.share_links.events import EVENTS
from features.share_links.policy import ShareLinkPolicy
from features.share_links.service import ShareLinkService
from features.share_links.tokens import derive_key


def _service(scope: Scope) -> ShareLinkService:
    key = derive_key(scope.settings.cluster_secret.get_secret_value().encode(), scope.brand)
    return ShareLinkService(scope.policy(ShareLinkPolicy), scope.service(PostService), key)


SHARE_LINKS = Feature(
    name="share_links",
    needs=(ACCOUNTS, POSTS),
    policy=ShareLinkPolicy,
    service=_service,
    consumers=lambda _: consumers(),
    events=EVENTS,
    tables=(
        Table(
            "share_links",
            "account_id",
            "until they expire, are revoked, or their post is deleted",
            Expiry("expires_at", timedelta()),
            subjects=("account_id",),
        ),
    ),
)
