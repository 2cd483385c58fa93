"""The rule for who may see a story: its author, always; until it expires, whoever belongs to its audience; and whoever
belongs to the audience of a highlight that has it.

`may_see` is the specification. `visible_to` is the same rule as an SQL predicate; every statement that can show a story
to others contains it, or its two parts. Times are compared when the story is read: nothing has to run when it expires.
"""

from collections.abc import Collection

from features.posts import privacy
from features.posts.model import Audience
from features.posts.privacy import Relationship, in_audience


def may_see(
    relationship: Relationship, audience: Audience, *, live: bool, highlighted: Collection[Audience] = ()
) -> bool:
    """Returns whether a reader with this relationship to the author may see a story with this audience. `live`: it has
    not expired. `highlighted` are the audiences of the highlights that have it."""
    audiences = [*([audience] if live else []), *highlighted]
    return relationship.is_author or any(privacy.may_see(relationship, each) for each in audiences)


def live(now: str) -> str:
    """Returns a predicate on the table ``stories``: the story has not expired at `now`, an SQL expression. At
    `expires_at` it has."""
    return f"stories.expires_at > {now}"


def shown_to(viewer: str, *, among: str | None = None) -> str:
    """Returns a predicate on the table ``stories``: the viewer belongs to the story's audience. `viewer` is an SQL
    expression for an account id (``$1::uuid``; null: not signed in), `among` as in `in_audience`."""
    return in_audience("stories", "stories.author_id", viewer, among=among)


def highlighted_for(viewer: str) -> str:
    """Returns a predicate on the table ``stories``: a highlight has the story whose audience the viewer belongs to."""
    return f"""exists (
            select from highlighted_stories join story_highlights as highlights on highlights.id = highlight_id
            where story_id = stories.id and {in_audience("highlights", "stories.author_id", viewer)}
        )"""


def visible_to(viewer: str, now: str) -> str:
    """Returns a predicate on the table ``stories``: the viewer may see the story at `now`."""
    return f"""(stories.author_id = {viewer} or ({live(now)} and {shown_to(viewer)})
        or {highlighted_for(viewer)})"""
