"""The rule for who may see a post.

`may_see` is the specification, in terms of the reader's relationship to the author. `visible_to` is the same rule as an
SQL predicate; every statement that can show a post contains it. One test checks all statements for it, another compares
it with `may_see` over every relationship, audience and endpoint.
"""

from dataclasses import dataclass

from features.posts.model import Audience
from features.relationships import queries
from features.relationships.visibility import apart, close_friend, connected, in_list

_MAX_CIRCLES = "200"
"""A hashtag's page looks into the indexes once for each author and audience, and once for each list."""


@dataclass(frozen=True, slots=True)
class Relationship:
    """A reader's relationship to an author. All false: a stranger, or a reader who is not signed in."""

    is_author: bool = False
    apart: bool = False
    """One of the two has blocked the other, or is not active."""
    connected: bool = False
    """The reader is in the author's audience `connections`: a friend, or a follower."""
    close_friend: bool = False
    on_list: bool = False
    """The reader is on the list that the post was published to."""


def may_see(relationship: Relationship, audience: Audience) -> bool:
    """Returns whether a reader with this relationship to the author may see a post with this audience."""
    if relationship.is_author:
        return True
    if relationship.apart:
        return False
    return {
        Audience.PUBLIC: True,
        Audience.CONNECTIONS: relationship.connected,
        Audience.CLOSE_FRIENDS: relationship.close_friend,
        Audience.LIST: relationship.on_list,
        Audience.ONLY_ME: False,
    }[audience]


def audiences(author: str, viewer: str) -> str:
    """Returns an SQL expression: the audiences (text[]) of an author's posts that the viewer belongs to. It does not
    depend on the post, so a statement that reads many posts of few authors computes it once per author. `list` needs a
    further check of the post's list."""
    everything = ", ".join(f"'{audience}'" for audience in Audience)
    return f"""case
        when {author} = {viewer} then array[{everything}]
        when {apart(author, viewer)} then array[]::text[]
        else array['{Audience.PUBLIC}', '{Audience.LIST}']
            || case when {connected(author, viewer)} then array['{Audience.CONNECTIONS}'] end
            || case when {close_friend(author, viewer)} then array['{Audience.CLOSE_FRIENDS}'] end
        end"""


def restricted_audiences(viewer: str) -> str:
    """Returns a query of the authors and audiences other than `public` that the viewer may belong to, as rows
    (author_id, audience): where to look for posts, of which `visible_to` decides. Of other people's lists, see
    `viewers_lists`. No rows if nobody is signed in. Of more than `_MAX_CIRCLES` strangers whose close friend the viewer
    is, it returns so many."""
    close_friend_of = queries.close_friend_of(viewer, limit=_MAX_CIRCLES)
    own = ", ".join(f"('{audience}')" for audience in Audience if audience is not Audience.PUBLIC)
    return f"""select {viewer} as author_id, own.audience from (values {own}) as own (audience)
        where {viewer} is not null
        union select followed.id, '{Audience.CONNECTIONS}' from ({queries.followed(viewer)}) as followed
        union select owners.id, '{Audience.CLOSE_FRIENDS}' from ({close_friend_of}) as owners"""


def viewers_lists(viewer: str) -> str:
    """Returns a query of the lists (id) that the viewer is on: where to look for posts with the audience `list`, as
    in `restricted_audiences`. Of more than `_MAX_CIRCLES` lists of strangers, it returns so many."""
    return queries.on_lists(viewer, limit=_MAX_CIRCLES)


def visible_to(viewer: str, *, shown: str = "posts", among: str | None = None) -> str:
    """Returns a predicate on the table ``posts``: the viewer may see the post.

    `viewer` is an SQL expression for an account id (``$1::uuid``; null: not signed in). `shown` names the row whose
    columns audience and list_id are checked, if it is not the post itself (an earlier version of it). `among` is a
    column with the `audiences` of the post's author for this viewer, if they are computed already. A null list has no
    members: posts to a deleted list are visible to their author only.
    """
    return in_audience(shown, "posts.author_id", viewer, among=among)


def in_audience(shown: str, author: str, viewer: str, *, among: str | None = None) -> str:
    """Returns a predicate on a row with the columns audience and list_id (posts, stories): the viewer belongs to the
    audience that the author has chosen for it. Arguments as in `visible_to`."""
    return f"""({shown}.audience = any({among or audiences(author, viewer)})
        and ({shown}.audience <> '{Audience.LIST}' or {author} = {viewer} or {in_list(f"{shown}.list_id", viewer)}))"""
