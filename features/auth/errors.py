"""Refusals that must be remembered: the request fails, its writes stay."""

from features.errors import Invalid, Unauthenticated


class WrongCredentials(Unauthenticated):
    """No such account, or another password; deliberately not said which."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("wrong_credentials", "The identifier or the password is wrong.")


class WrongCode(Invalid):
    """Not the code that was mailed."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("wrong_code", "This is not the code that was sent.", field="code")


class RefreshTokenReused(Unauthenticated):
    """A refresh token came back after it had been exchanged: somebody has a copy, so its session was ended."""

    keeps_writes = True

    def __init__(self) -> None:
        super().__init__("refresh_token_reused", "This refresh token was used before; the session has been ended.")
