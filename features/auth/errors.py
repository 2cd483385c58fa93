"""Errors of this slice. After those with `keeps_writes`, the writes of the failed request are committed."""

from datetime import datetime

from features.errors import Forbidden, Invalid, LimitReached, Unauthenticated


def locked_out(until: datetime, now: datetime) -> LimitReached:
    """Returns the error for a password that is not checked since too many were wrong before."""
    wait_s = int((until - now).total_seconds()) + 1
    return LimitReached("locked_out", "Too many wrong passwords; wait.", retry_after_s=wait_s)


class WrongPassword(Forbidden):
    """The signed-in caller's password is another."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("wrong_password", "This is not the account's password.", field="password")


class AccountSuspended(Forbidden):
    """The credentials are right, and the account is suspended."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("account_suspended", "This account is suspended.")


class WrongCredentials(Unauthenticated):
    """No such account or a wrong password; which of the two is not disclosed."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("wrong_credentials", "The identifier or the password is wrong.")


class WrongCode(Invalid):
    """The code is not the one that was mailed."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("wrong_code", "This is not the code that was sent.", field="code")


class RefreshTokenReused(Unauthenticated):
    """A refresh token was used twice, so somebody has a copy: its session was ended."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("refresh_token_reused", "This refresh token was used before; the session has been ended.")
