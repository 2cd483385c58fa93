"""Parts of SQL statements on who is in groups, for statements of other slices. Arguments are SQL expressions of type
uuid."""


def in_group(account: str, group: str) -> str:
    """The account is in the group."""
    return (
        f"exists (select from group_members as place where place.account_id = {account} and place.group_id = {group})"
    )


def manages(account: str, group: str) -> str:
    """The account is an owner or admin of the group."""
    return f"{group} in ({managed_by(account)})"


def managed_by(account: str) -> str:
    """Selects the groups of which the account is an owner or admin."""
    return f"select place.group_id from group_members as place where place.account_id = {account} and {_MANAGES}"


def managers_of(group: str) -> str:
    """Selects the accounts of a group's owners and admins."""
    return f"select place.account_id from group_members as place where place.group_id = {group} and {_MANAGES}"


_MANAGES = "place.role <> 'member'"
