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


def visible_to(viewer: str, *, post: str = "posts", audience: str | None = None) -> str:
    """A predicate: the viewer may see the post.

    `viewer` is an SQL expression for an account id (``$1``; null: someone who is not signed in); `post` the alias of
    the posts table; `audience` the alias of a row with the columns audience and list_id to judge instead of the
    post's own (an earlier version of it). A null list is nobody's, so posts to a deleted list are their author's only.
    """
    author, shown = f"{post}.author_id", audience or post
    return f"""(
        {author} = {viewer}
        or (
            not {blocked(author, viewer)}
            and case {shown}.audience
                when '{Audience.PUBLIC}' then true
                when '{Audience.CONNECTIONS}' then {connected(author, viewer)}
                when '{Audience.CLOSE_FRIENDS}' then {close_friend(author, viewer)}
                when '{Audience.LIST}' then {in_list(f"{shown}.list_id", viewer)}
                else false
            end
        )
    )"""
