"""Safety numbers: what two people compare to know that nobody sits between them.

The digits are Signal's numeric fingerprint, version 0: 5,200 rounds of SHA-512 over a party's name and keys,
30 digits for each party, the smaller half first, so both read the same 60 digits. A party with several devices
has several identity keys; they are hashed in sorted order. The QR payload carries 32 bytes for each party,
enough that a scan needs no human comparison of digits.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from crypto import wire
from crypto.errors import CryptoError
from crypto.identity.keys import IdentityKey

_ROUNDS = 5_200
_FINGERPRINT_VERSION = b"\x00\x00"
_QR_VERSION = 1
_FINGERPRINT_LENGTH = 32
_DIGITS_BYTES = 30


class SafetyNumberMismatch(CryptoError):
    """A scanned code is not the one that the two identities give: a wrong person, or someone in between."""


def _fingerprint(name: bytes, keys: Iterable[IdentityKey]) -> bytes:
    """A party's fingerprint, 64 bytes."""
    encoded = b"".join(sorted(key.encode() for key in keys))
    if not encoded:
        raise ValueError("a party has at least one identity key")
    digest = _FINGERPRINT_VERSION + encoded + name
    for _ in range(_ROUNDS):
        digest = hashlib.sha512(digest + encoded).digest()
    return digest


def _digits(fingerprint: bytes) -> str:
    """Six groups of five digits from the first 30 bytes."""
    chunks = (fingerprint[start : start + 5] for start in range(0, _DIGITS_BYTES, 5))
    return "".join(f"{int.from_bytes(chunk, 'big') % 100_000:05d}" for chunk in chunks)


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """The number of two parties, seen from the ``own`` side. Fingerprints have 32 bytes and are public."""

    digits: str
    own: bytes
    theirs: bytes

    @classmethod
    def of(
        cls,
        own_name: bytes,
        own_keys: Iterable[IdentityKey],
        their_name: bytes,
        their_keys: Iterable[IdentityKey],
    ) -> "SafetyNumber":
        """``own_name`` and ``their_name``: stable identifiers of the accounts, as bytes.

        Takes about 20 ms. Raises ``ValueError`` for a party without keys.
        """
        own = _fingerprint(own_name, own_keys)
        theirs = _fingerprint(their_name, their_keys)
        halves = sorted((_digits(own), _digits(theirs)))
        return cls("".join(halves), own[:_FINGERPRINT_LENGTH], theirs[:_FINGERPRINT_LENGTH])

    def grouped(self) -> str:
        """The 60 digits as 12 groups of five, for reading aloud."""
        return " ".join(self.digits[start : start + 5] for start in range(0, 60, 5))

    def qr_payload(self) -> bytes:
        """What this side's QR code contains: version(1) | own(32) | theirs(32)."""
        return wire.u8(_QR_VERSION) + self.own + self.theirs

    def check_scanned(self, payload: bytes) -> None:
        """Compare the other side's QR code.

        Raises ``DecodeError`` if it is not such a code, ``SafetyNumberMismatch`` if it is for other keys.
        """
        reader = wire.Reader(payload, "safety number")
        reader.format_version(_QR_VERSION)
        scanned_own, scanned_theirs = reader.take(_FINGERPRINT_LENGTH), reader.take(_FINGERPRINT_LENGTH)
        reader.finish()
        same_theirs = hmac.compare_digest(scanned_own, self.theirs)
        same_own = hmac.compare_digest(scanned_theirs, self.own)
        if not (same_theirs and same_own):
            raise SafetyNumberMismatch("the scanned code is for other identity keys")
