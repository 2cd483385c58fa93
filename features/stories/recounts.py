"""The stored counts of stories: reactions, and who has seen them."""

from features.counters.model import VIEWERS, TargetKind
from features.counters.recounts import reaction_counts, target_counts
from features.stories.queries import EXISTING

_NEXT = "select id from stories where id > $1 order by id limit $2"
_VIEWS = f"select story_id as target_id, '{VIEWERS}' as name from story_views where story_id = any($1::uuid[])"

COUNTS = (
    reaction_counts(TargetKind.STORY, next=_NEXT, existing=EXISTING),
    target_counts("viewers", TargetKind.STORY, (VIEWERS,), next=_NEXT, existing=EXISTING, rows=_VIEWS),
)
