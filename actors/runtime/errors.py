"""What a call into the runtime can fail with: one typed error per cause, each with its number on the wire.

Every error says whether the operation may have happened. ``may_have_run`` is False where the
runtime knows that the entity never saw the message; it is True where a reply was lost beyond recovery.
"""

from __future__ import annotations

from typing import ClassVar

from actors.runtime.store.rows import StaleEpoch as StaleEpochInDatabase


class CallError(Exception):
    """Base of everything the runtime raises to a caller."""

    status: ClassVar[int] = 1
    may_have_run: ClassVar[bool] = False


class UnknownKind(CallError):
    """No entity kind of this name runs here."""

    status = 2


class DeadlineExceeded(CallError):
    """The call's time ran out before an answer came; the entity may or may not have acted on it."""

    status = 3
    may_have_run = True


class HostUnavailable(CallError):
    """No host for the entity's shard could be reached before the deadline."""

    status = 4
    may_have_run = True


class Overloaded(CallError):
    """Too many calls are in flight here or at the host; the message was not delivered. Try again later."""

    status = 5


class StaleEpoch(CallError):
    """The shard moved on while the host was writing: the database refused, nothing was stored."""

    status = 6


class FrameTooLarge(CallError):
    """A message or a reply is larger than a frame may be."""

    status = 7


class BadFrame(CallError):
    """The peer sent bytes that are no frame of the protocol; the connection is closed."""

    status = 8


class HandshakeFailed(CallError):
    """The peer does not hold the cluster's secret, or speaks another version of the protocol."""

    status = 9


class EntityFailed(CallError):
    """The entity or its effects raised something unforeseen; its memory was dropped and is loaded anew."""

    status = 10
    may_have_run = True


class Refused(CallError):
    """The entity understood and declined. ``code`` is for programs, ``detail`` for people.

    ``receive`` raises it to refuse a message; it must have left the entity as it was.
    """

    status = 11

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


BY_STATUS: dict[int, type[CallError]] = {
    error.status: error
    for error in (
        UnknownKind,
        DeadlineExceeded,
        HostUnavailable,
        Overloaded,
        StaleEpoch,
        FrameTooLarge,
        BadFrame,
        HandshakeFailed,
        EntityFailed,
    )
}


def to_wire(error: BaseException) -> tuple[int, object]:
    """(status, detail) of an error as it travels in an answer."""
    if isinstance(error, Refused):
        return error.status, [error.code, error.detail]
    if isinstance(error, StaleEpochInDatabase):
        return StaleEpoch.status, str(error)
    if isinstance(error, CallError):
        return error.status, str(error)
    return EntityFailed.status, f"{type(error).__name__}: {error}"


def from_wire(status: int, detail: object) -> CallError:
    """The error behind an answer's status; an unknown number becomes the base class."""
    if status == Refused.status and isinstance(detail, list) and len(detail) == 2:
        return Refused(str(detail[0]), str(detail[1]))
    return BY_STATUS.get(status, CallError)(str(detail))
