"""SQL predicates on relationships for other slices' statements. Arguments are SQL expressions of type uuid.

A null expression (nobody is signed in) makes every predicate false.
"""


def blocked(a: str, b: str) -> str:
    """One of the two has blocked the other."""
    return f"({has_blocked(a, b)} or {has_blocked(b, a)})"


def has_blocked(by: str, whom: str) -> str:
    """The first has blocked the second."""
    return f"exists (select from blocks where blocker_id = {by} and blocked_id = {whom})"


def connected(owner: str, viewer: str) -> str:
    """The viewer is in the owner's audience: a friend or a follower."""
    return f"exists (select from connections where owner_id = {owner} and viewer_id = {viewer})"


def muted(by: str, whom: str) -> str:
    """The first has muted the second."""
    return f"exists (select from mutes where muter_id = {by} and muted_id = {whom})"


def close_friend(owner: str, member: str) -> str:
    """The member is among the owner's close friends."""
    return f"exists (select from close_friends where owner_id = {owner} and member_id = {member})"


def in_list(list_id: str, member: str) -> str:
    """The member is on one of the owner's own lists."""
    return f"exists (select from list_members where list_id = {list_id} and member_id = {member})"
