"""Domain errors. Services raise them; api/errors.py alone turns them into responses."""


class DomainError(Exception):
    """An error that the caller can act on. `code` is stable and machine-readable, `detail` is for people, `field` names
    the invalid input. With `keeps_writes`, the unit of work commits although the request fails (a wrong code must be
    counted)."""

    keeps_writes = False

    def __init__(self, code: str, detail: str, *, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field


class Invalid(DomainError):
    """The input can never be accepted as it is."""


class Unauthenticated(DomainError):
    """The caller is not authenticated, or no longer."""


class Forbidden(DomainError):
    """The caller is authenticated and may not do this."""


class NotFound(DomainError):
    """It does not exist, or the caller may not know that it does."""


class Conflict(DomainError):
    """The request conflicts with the present state."""


class LimitReached(DomainError):
    """A limit is exceeded. `retry_after_s` is set if a retry can succeed after that time."""

    def __init__(self, code: str, detail: str, *, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(code, detail, field=field)
        self.retry_after_s = retry_after_s


class Unavailable(DomainError):
    """A dependency of the request is down; a retry can succeed."""
