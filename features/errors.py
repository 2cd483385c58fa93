"""Kinds of domain errors. A slice declares its errors as subclasses in its `errors.py` and raises them; routes declare
which of them they can answer with; api/errors.py alone turns them into responses."""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """An error that the caller can act on.

    A subclass sets `code`, stable and machine-readable, and `detail`, for people; `field` names the invalid input. Its
    docstring is its entry in docs/errors.md. With `keeps_writes`, the unit of work commits although the request fails
    (a wrong code must be counted)."""

    code: ClassVar[str]
    keeps_writes: ClassVar[bool] = False
    detail: str = ""
    field: str | None = None

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        super().__init__(self.code)
        if detail is not None:
            self.detail = detail
        if field is not None:
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
    """The request conflicts with the present state. `current` is that state as JSON, where the caller needs it to go
    on."""

    current: Mapping[str, Any] | None = None


class LimitReached(Conflict):
    """There is as much of something as is allowed: only the removal of some of it helps."""


class Unreadable(DomainError):
    """A protocol that is not JSON calls for the status 400: the request cannot be read as one of it."""


class TooLarge(DomainError):
    """What the caller announces is larger than is allowed."""


class UnsupportedMediaType(DomainError):
    """The body has a Content-Type that the request cannot have."""


class PreconditionFailed(DomainError):
    """The caller asks for something that this server cannot promise, such as another version of a protocol."""


class RequestTimeout(DomainError):
    """The request did not arrive in time."""


class ChecksumWrong(DomainError):
    """What arrived does not have the checksum that was announced (the status 460 of the tus protocol)."""


class RateLimited(DomainError):
    """Too many requests: a retry can succeed after `retry_after_s`."""

    def __init__(self, detail: str | None = None, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, retry_after_s)


class Unavailable(DomainError):
    """A dependency of the request is down; a retry can succeed."""
