"""What this slice declares. The reactions are stored with their counts, by the slice of counters."""

from features.comments.feature import COMMENTS
from features.comments.service import CommentService
from features.counters.feature import COUNTERS
from features.counters.model import TargetKind
from features.counters.service import CounterService
from features.feature import Feature, Scope
from features.posts.feature import POSTS
from features.posts.service import PostService
from features.reactions.consumers import ReactionCleanup
from features.reactions.ports import TargetAccess
from features.reactions.service import ReactionService


def _service(scope: Scope) -> ReactionService:
    targets: dict[TargetKind, TargetAccess] = {
        TargetKind.POST: scope.service(PostService),
        TargetKind.COMMENT: scope.service(CommentService),
    }
    return ReactionService(scope.service(CounterService), targets, scope.cursors)


REACTIONS = Feature(
    name="reactions",
    needs=(COMMENTS, COUNTERS, POSTS),
    service=_service,
    consumers=lambda scope: ReactionCleanup(scope.service(CounterService)).consumers(),
)
