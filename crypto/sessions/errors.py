"""What can go wrong between two devices."""

from enum import StrEnum

from crypto.errors import CryptoError
from crypto.sessions.address import DeviceAddress


class SessionError(CryptoError):
    """Base of the session store's errors. Whoever raises one has changed nothing."""


class UnknownDevice(SessionError):
    """The device is not in the roster (any more): fetch its user's roster, then try again."""

    def __init__(self, address: DeviceAddress) -> None:
        super().__init__(f"device {address.device} is not in its user's roster")
        self.address = address


class IdentityMismatch(SessionError):
    """A bundle carries another identity key than the roster: do not use it, look at the roster again."""


class NoSession(SessionError):
    """These devices need a bundle and ``start`` before anything can be encrypted for them."""

    def __init__(self, addresses: tuple[DeviceAddress, ...]) -> None:
        super().__init__(f"{len(addresses)} device(s) have no session")
        self.addresses = addresses


class Failure(StrEnum):
    """Why a message was not decrypted."""

    MALFORMED = "malformed"  # not the layout of a message
    UNAUTHENTIC = "unauthentic"  # no session of this device opens it
    DUPLICATE = "duplicate"  # it was decrypted before
    TOO_FAR = "too_far"  # too many messages before it are missing
    IDENTITY = "identity"  # it starts a session for an identity that the roster does not list
    HANDSHAKE = "handshake"  # it starts a session with prekeys that are unknown, used up or too weak


class DecryptionFailed(SessionError):
    """The message was not decrypted and nothing has changed. ``failure`` says why.

    Anything but ``DUPLICATE`` may mean that the sender's session is not ours: ask it to ``reset``.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"message not decrypted: {failure}")
        self.failure = failure
