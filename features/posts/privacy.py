"""Who may see a post: the one place where that is decided.

`may_see` is the specification, over what two people are to each other. `visible_to` is the same rule as an SQL
predicate, and every statement that can show a post carries it (a test reads all statements for it, another compares
it with `may_see` over every relationship, audience and endpoint).
"""

from dataclasses import dataclass

from features.posts.model import Audience
from features.relationships.visibility import blocked, close_friend, connected, in_list


@dataclass(frozen=True, slots=True)
class Relationship:
    """What a reader is to an author. All false: a stranger, or someone who is not signed in."""

    is_author: bool = False
    blocked: bool = False
    """One of the two has blocked the other, whichever."""
    connected: bool = False
    """The reader is in the author's audience `connections`: a friend, or a follower."""
    close_friend: bool = False
    on_list: bool = False
    """The reader is on the list that the post was published to."""


def may_see(relationship: Relationship, audience: Audience) -> bool:
    """Whether someone who is that to the author may see a post with this audience."""
    if relationship.is_author:
        return True
    if relationship.blocked:
        return False
    return {
        Audience.PUBLIC: True,
        Audience.CONNECTIONS: relationship.connected,
        Audience.CLOSE_FRIENDS: relationship.close_friend,
        Audience.LIST: relationship.on_list,
        Audience.ONLY_ME: False,
    }[audience]


def audiences(author: str, viewer: str) -> str:
    """An SQL expression: the audiences (text[]) of an author's posts that the viewer belongs to. It depends on no post,
    so a statement that reads many posts of few authors computes it once an author. `list` is only a maybe."""
    everything = ", ".join(f"'{audience}'" for audience in Audience)
    return f"""case
        when {author} = {viewer} then array[{everything}]
        when {blocked(author, viewer)} then array[]::text[]
        else array['{Audience.PUBLIC}', '{Audience.LIST}']
            || case when {connected(author, viewer)} then array['{Audience.CONNECTIONS}'] end
            || case when {close_friend(author, viewer)} then array['{Audience.CLOSE_FRIENDS}'] end
        end"""


def visible_to(viewer: str, *, shown: str = "posts", among: str | None = None) -> str:
    """A predicate on the table ``posts``: the viewer may see the post.

    `viewer` is an SQL expression for an account id (``$1::uuid``; null: somebody who is not signed in). `shown` names
    the row with the columns audience and list_id to judge, when it is not the post's own (an earlier version of it).
    `among` is a column that holds `audiences` of the post's author for this viewer, where they are computed already.
    A null list is nobody's: posts to a deleted list are their author's only.
    """
    author = "posts.author_id"
    return f"""({shown}.audience = any({among or audiences(author, viewer)})
        and ({shown}.audience <> '{Audience.LIST}' or {author} = {viewer} or {in_list(f"{shown}.list_id", viewer)}))"""
