"""Parts of SQL statements on devices, for statements of other slices. Arguments are SQL expressions."""


def devices_of(accounts: str) -> str:
    """A query of the devices (account_id, number, session_id) of the accounts in an array."""
    return f"select account_id, number, session_id from devices where account_id = any({accounts})"
