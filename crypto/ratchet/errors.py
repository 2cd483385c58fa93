"""What can go wrong in a ratchet."""

from enum import StrEnum

from crypto.errors import CryptoError


class RatchetError(CryptoError):
    """Base of the ratchet's errors."""


class Rejection(StrEnum):
    """Why a message was not decrypted."""

    MALFORMED = "malformed"  # not the layout of a message
    UNAUTHENTIC = "unauthentic"  # no key of this session opens it: altered, foreign, or its key is gone
    DUPLICATE = "duplicate"  # its key was used before, or evicted by the bounds on skipped keys
    TOO_FAR = "too_far"  # it would skip more keys than the bound on one chain


class MessageRejected(RatchetError):
    """The message was not decrypted and the session is exactly as it was before. ``reason`` says why."""

    def __init__(self, reason: Rejection) -> None:
        super().__init__(f"message rejected: {reason}")
        self.reason = reason


class CannotSend(RatchetError):
    """The responder has not received its first message yet, a chain is full, or the plaintext is too long."""
