"""Parts of SQL statements on settings, for statements of other slices. Arguments are SQL expressions, but the names."""


def chosen(account: str, section: str, key: str) -> str:
    """Returns an expression: what an account has chosen (text); null where it has not, or no longer has a choice."""
    return f"(select chosen -> '{section}' ->> '{key}' from account_settings where account_id = {account})"
