"""Parts of SQL statements on accounts, for statements of other slices. Arguments are SQL expressions of type uuid; a
column `id` is given with its table, since the accounts in a part have one, too."""


def inactive(account: str) -> str:
    """The account is not active (deactivated, suspended, being deleted). False for null and for
    accounts that do not exist."""
    assert account != "id"
    return f"exists (select from accounts where accounts.id = {account} and state <> 'active')"


def active(account: str) -> str:
    """The account exists and is active. False for null."""
    assert account != "id"
    return f"exists (select from accounts where accounts.id = {account} and state = 'active')"


def stays_active(account: str) -> str:
    """The account is active, and stays so until the transaction ends: the predicate locks it against a change of
    state."""
    assert account != "id"
    return f"exists (select from accounts where accounts.id = {account} and state = 'active' for share)"


def stays(account: str) -> str:
    """The account exists, whatever its state, and stays until the transaction ends: the predicate locks it against
    erasure."""
    assert account != "id"
    return f"exists (select from accounts where accounts.id = {account} for key share)"
