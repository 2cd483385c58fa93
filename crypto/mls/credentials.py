"""Credentials (RFC 9420 section 5.3) and the service that decides whether they are believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.errors import DecodeError
from crypto.mls.codec import Reader, opaque, u16, vector
from crypto.mls.errors import InvalidCredential


class CredentialType(IntEnum):
    """Registered credential types (section 17.5)."""

    BASIC = 0x0001
    X509 = 0x0002


@dataclass(frozen=True, slots=True)
class BasicCredential:
    """A bare identity, of any length in bytes, that the application gives a meaning."""

    identity: bytes

    @property
    def credential_type(self) -> CredentialType:
        return CredentialType.BASIC

    def encode(self) -> bytes:
        return u16(CredentialType.BASIC) + opaque(self.identity)


@dataclass(frozen=True, slots=True)
class X509Credential:
    """A chain of DER certificates, the member's own first (section 5.3)."""

    certificates: tuple[bytes, ...]

    @property
    def credential_type(self) -> CredentialType:
        return CredentialType.X509

    def encode(self) -> bytes:
        return u16(CredentialType.X509) + vector(opaque(certificate) for certificate in self.certificates)


Credential = BasicCredential | X509Credential


def decode_credential(reader: Reader) -> Credential:
    """A credential; a type that is not supported cannot be skipped, so it is a DecodeError (section 13.5)."""
    match reader.u16():
        case CredentialType.BASIC:
            return BasicCredential(reader.opaque())
        case CredentialType.X509:
            return X509Credential(reader.vector(Reader.opaque))
        case _:
            raise DecodeError("unsupported credential type")


class AuthenticationService(Protocol):
    """The application's judgement about credentials (sections 5.3.1 and 5.3.3)."""

    def validate(self, credential: Credential, signature_key: bytes, now: int | None) -> None:
        """Raise InvalidCredential unless ``signature_key`` legitimately belongs to ``credential``.

        ``now``, in seconds since the Unix epoch, is None where an expired credential is acceptable, as in
        ``GroupPolicy.check_received_lifetimes``.
        """
        ...

    def is_successor(self, old: Credential, new: Credential) -> bool:
        """Whether a member presenting ``old`` may go on as ``new`` (update, commit, resync)."""
        ...

    def same_client(self, one: Credential, other: Credential) -> bool:
        """Whether both present the same client (linked groups, section 11.2 and 11.3)."""
        ...


class TrustOnPresentation:
    """Believes every basic credential, and every X.509 credential whose first certificate holds the key.

    It keeps credentials stable and keys consistent, and lets a server put any member into any group: it is for tests
    and for closed deployments that authenticate in another way. Else use ``IdentityAuthentication``.
    """

    __slots__ = ()

    def validate(self, credential: Credential, signature_key: bytes, now: int | None) -> None:
        if isinstance(credential, X509Credential) and _certified_key(credential.certificates) != signature_key:
            raise InvalidCredential("the certificate holds another key than the leaf node")

    def is_successor(self, old: Credential, new: Credential) -> bool:
        return old == new

    def same_client(self, one: Credential, other: Credential) -> bool:
        return one == other


def _certified_key(certificates: Sequence[bytes]) -> bytes:
    if not certificates:
        raise InvalidCredential("an X.509 credential without certificates")
    try:
        key = x509.load_der_x509_certificate(certificates[0]).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise InvalidCredential("the certificate cannot be read") from None
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return key.public_bytes_raw()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    raise InvalidCredential("the certificate's key is of no MLS signature scheme")
