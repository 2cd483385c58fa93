"""The rule for who may see a story: its author, always; until it expires, whoever belongs to its audience.

`may_see` is the specification. `visible_to` is the same rule as an SQL predicate; every statement that can show a story
to others contains it, or its two parts. Times are compared when the story is read: nothing has to run when it expires.
"""

from features.posts import privacy
from features.posts.model import Audience
from features.posts.privacy import Relationship, in_audience


def may_see(relationship: Relationship, audience: Audience, *, live: bool) -> bool:
    """Returns whether a reader with this relationship to the author may see a story with this audience. `live`: it has
    not expired."""
    return relationship.is_author or (live and privacy.may_see(relationship, audience))


def live(now: str) -> str:
    """Returns a predicate on the table ``stories``: the story has not expired at `now`, an SQL expression. At
    `expires_at` it has."""
    return f"stories.expires_at > {now}"


def shown_to(viewer: str, *, among: str | None = None) -> str:
    """Returns a predicate on the table ``stories``: the viewer belongs to the story's audience. `viewer` is an SQL
    expression for an account id (``$1::uuid``; null: not signed in), `among` as in `in_audience`."""
    return in_audience("stories", "stories.author_id", viewer, among=among)


def visible_to(viewer: str, now: str) -> str:
    """Returns a predicate on the table ``stories``: the viewer may see the story at `now`."""
    return f"(stories.author_id = {viewer} or ({live(now)} and {shown_to(viewer)}))"
