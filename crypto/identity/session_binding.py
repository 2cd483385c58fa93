"""A device's statement that a sign-in session acts for it, by which a server knows whose calls a session's are.

The session's id is chosen by the server and never used twice, so the statement needs no challenge of its own: a copy of
it is good for nothing but the session that it names.
"""

from crypto import wire
from crypto.identity.keys import IdentityKey, IdentityKeyPair
from crypto.randomness import Randomness

SESSION_LENGTH = 16

_LABEL = b"Entativa device session 1\x00"  # no other message that an identity key signs starts like this
_MAX_USER_LENGTH = 256


def bind_session(identity: IdentityKeyPair, user: str, device: int, session: bytes, randomness: Randomness) -> bytes:
    """Returns the XEdDSA signature (64 bytes) of device number ``device`` of ``user``. ``session``: 16 bytes. Raises
    ``DecodeError`` for a session of another length."""
    return identity.sign(_statement(user, device, session), randomness)


def verify_session_binding(identity: IdentityKey, user: str, device: int, session: bytes, signature: bytes) -> None:
    """Raises ``InvalidSignature`` unless the device with this identity says that ``session`` acts for it."""
    identity.verify(_statement(user, device, session), signature)


def _statement(user: str, device: int, session: bytes) -> bytes:
    wire.require_length("a session", session, SESSION_LENGTH)
    return _LABEL + wire.text(user, _MAX_USER_LENGTH) + wire.u32(device) + session
