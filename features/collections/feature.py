"""What this slice declares."""

from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.collections.consumers import consumers
from features.collections.events import EVENTS
from features.collections.policy import CollectionPolicy
from features.collections.service import CollectionService
from features.feature import Feature
from features.posts.feature import POSTS

COLLECTIONS = Feature(
    name="collections",
    needs=(ACCOUNTS, POSTS),
    policy=CollectionPolicy,
    service=lambda scope: CollectionService(scope.policy(CollectionPolicy)),
    consumers=lambda _: consumers(),
    events=EVENTS,
    tables=(
        Table("collections", "account_id", "until the account deletes it", subjects=("account_id",)),
        Table("collection_posts", "account_id", "as long as both of its parts", subjects=("account_id",)),
    ),
)
