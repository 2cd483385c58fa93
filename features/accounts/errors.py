"""The errors of accounts."""

from features.errors import Conflict, NotFound


class EmailRegistered(Conflict):
    """The address has an account; log in."""

    code = "email_registered"
    detail = "This address has an account; log in."
    field = "email"


class WrongAccountState(Conflict):
    """The account's state does not allow this, or has just changed; `detail` names it."""

    code = "wrong_account_state"


class NoSuchAccount(NotFound):
    """There is no such account. (Only operators get it.)"""

    code = "no_such_account"
    detail = "There is no such account."
