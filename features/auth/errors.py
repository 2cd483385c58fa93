"""Errors after which the writes of the failed request are committed."""

from features.errors import Invalid, Unauthenticated


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
