"""Identity: a device's long-term key, its signatures (XEdDSA) and the safety numbers people compare."""

from crypto.identity.keys import IdentityKey, IdentityKeyPair, InvalidSignature
from crypto.identity.safety_number import SafetyNumber, SafetyNumberMismatch

__all__ = ["IdentityKey", "IdentityKeyPair", "InvalidSignature", "SafetyNumber", "SafetyNumberMismatch"]
