"""Domain errors. A service raises one of these; api/errors.py is the only place that turns them into responses."""


class DomainError(Exception):
    """Something the caller can act on. `code` is stable and machine-readable, `detail` is for people, `field` names
    the input that was wrong. With `keeps_writes`, the unit of work commits although the request fails (a failed log-in
    must be counted)."""

    keeps_writes = False

    def __init__(self, code: str, detail: str, *, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field


class Invalid(DomainError):
    """The input can never be accepted as it is."""


class Unauthenticated(DomainError):
    """Who asks is not known, or no longer."""


class Forbidden(DomainError):
    """Who asks is known and may not do this."""


class NotFound(DomainError):
    """There is no such thing, or the caller may not learn that there is."""


class Conflict(DomainError):
    """The request does not fit the present state."""


class LimitReached(DomainError):
    """A policy's limit is used up; `retry_after_s` says when a retry can work, if time alone helps."""

    def __init__(self, code: str, detail: str, *, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(code, detail, field=field)
        self.retry_after_s = retry_after_s


class Unavailable(DomainError):
    """Something the request needs is down; a retry may work."""
