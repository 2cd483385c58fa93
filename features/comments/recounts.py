"""The stored counts of comments: those on posts, replies, and reactions to comments. Hidden ones do not count."""

from features.counters.model import COMMENTS, TargetKind
from features.counters.recounts import reaction_counts, target_counts
from features.posts import queries as posts

_NEXT = "select id from comments where id > $1 order by id limit $2"
_COUNTED = "author_id is not null and hidden_at is null"
_KEPT = "select id from comments where id = any($1::uuid[])"
"""Deleted comments that keep their places, too: what replies and reactions they have is still shown, and counted."""


def _rows(target: str) -> str:
    """Returns a query of the counted comments of the targets $1, which this column names."""
    return f"""select {target} as target_id, '{COMMENTS}' as name from comments
        where {target} = any($1::uuid[]) and {_COUNTED}"""


COUNTS = (
    target_counts(
        "comments",
        TargetKind.POST,
        (COMMENTS,),
        next=posts.NEXT,
        existing=posts.EXISTING,
        rows=_rows("post_id"),
    ),
    target_counts("replies", TargetKind.COMMENT, (COMMENTS,), next=_NEXT, existing=_KEPT, rows=_rows("parent_id")),
    reaction_counts(TargetKind.COMMENT, next=_NEXT, existing=_KEPT),
)
