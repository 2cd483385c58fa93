"""Identity: a device's long-term key, its signatures (XEdDSA) and the safety numbers people compare."""

from crypto.identity.keys import IdentityKey, IdentityKeyPair, InvalidSignature
from crypto.identity.safety_number import SafetyNumber, SafetyNumberMismatch
from crypto.identity.session_binding import bind_session, verify_session_binding

__all__ = [
    "IdentityKey",
    "IdentityKeyPair",
    "InvalidSignature",
    "SafetyNumber",
    "SafetyNumberMismatch",
    "bind_session",
    "verify_session_binding",
]
