"""Parts of SQL statements on relationships, for statements of other slices. Arguments are SQL expressions.

visibility.py has the predicates; these return rows.
"""


def followed(viewer: str) -> str:
    """A query of the accounts (id) whose audience the viewer is in."""
    return f"select owner_id as id from connections where viewer_id = {viewer}"


def audience(owner: str, *, after: str, limit: str) -> str:
    """A query of an account's audience (viewer_id) in the order of ids, after one of them."""
    return f"""select viewer_id from connections where owner_id = {owner} and viewer_id > {after}
        order by viewer_id limit {limit}"""


def audience_size(account: str) -> str:
    """The number of people in an account's audience; null for an account that does not exist."""
    return f"(select audience from connection_counts where account_id = {account})"


def lists_with(member: str) -> str:
    """A query of the lists (list_id) that somebody is on."""
    return f"select list_id from list_members where member_id = {member}"


def separated_from(account: str) -> str:
    """A query of the accounts (id) that a block, either way, separates from an account."""
    return f"""select blocked_id as id from blocks where blocker_id = {account}
        union select blocker_id from blocks where blocked_id = {account}"""


def own_list(list_id: str, owner: str) -> str:
    """The list exists and is the owner's: a predicate that locks it, so that it still exists when a row refers to
    it."""
    return f"exists (select from lists where lists.id = {list_id} and lists.owner_id = {owner} for key share)"


def lock_list(list_id: str) -> str:
    """A statement that locks a list against deletion."""
    return f"select from lists where id = {list_id} for key share"
