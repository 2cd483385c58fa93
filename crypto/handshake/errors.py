"""What can go wrong in a key agreement."""

from crypto.errors import CryptoError


class HandshakeError(CryptoError):
    """Base of the handshake's errors. Whoever raises one has changed nothing."""


class InvalidBundle(HandshakeError):
    """A prekey is not signed by the identity it claims to belong to, or is not a usable key."""


class ClassicalOnly(HandshakeError):
    """The other side offers only X3DH, and this side was not told to accept less than the hybrid."""


class UnknownPreKey(HandshakeError):
    """The initial message uses a prekey that is unknown, used up or expired."""


class ReplayedHandshake(HandshakeError):
    """This initial message was answered before. Without a one-time prekey only memory can tell (X3DH §4.2)."""
