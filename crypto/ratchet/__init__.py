"""The Double Ratchet (Signal's specification, revision 1): ``DoubleRatchet`` and what parametrises it.

Default: AES-256-GCM, encrypted headers, HKDF and HMAC with SHA-256, an ML-KEM-768 secret in the root step of every
sixteenth turn, at most 1,000 skipped keys a chain and 2,000 in all.
"""

from crypto.ratchet.double_ratchet import DoubleRatchet
from crypto.ratchet.errors import CannotSend, MessageRejected, RatchetError, Rejection
from crypto.ratchet.formats import EncryptedHeaderFormat, Envelope, MessageFormat, PlainHeaderFormat, RekeyingFormat
from crypto.ratchet.header import Header
from crypto.ratchet.parameters import DEFAULT_PARAMETERS, VERSION_1_PARAMETERS, RatchetParameters

__all__ = [
    "DEFAULT_PARAMETERS",
    "VERSION_1_PARAMETERS",
    "CannotSend",
    "DoubleRatchet",
    "EncryptedHeaderFormat",
    "Envelope",
    "Header",
    "MessageFormat",
    "MessageRejected",
    "PlainHeaderFormat",
    "RatchetError",
    "RatchetParameters",
    "Rejection",
    "RekeyingFormat",
]
