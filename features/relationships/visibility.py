"""SQL predicates on relationships for other slices' statements. Arguments are SQL expressions of type uuid.

A null expression stands for nobody (the caller is not signed in), who is active and has no relationship to anybody.
"""

from features.account_state import AccountState
from features.accounts.queries import inactive


def are_apart(*, blocked: bool, states: tuple[AccountState, AccountState]) -> bool:
    """Returns whether two accounts are apart: neither may learn through any endpoint that the other exists. They are if
    one has blocked the other (`blocked`), or if one of them is not active. `apart` is the same rule in SQL."""
    return blocked or any(state is not AccountState.ACTIVE for state in states)


def apart(a: str, b: str) -> str:
    """The two accounts are apart (`are_apart`). Every statement that shows somebody contains this, or asks an account
    for its own people only."""
    return f"({has_blocked(a, b)} or {has_blocked(b, a)} or {inactive(a)} or {inactive(b)})"


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
