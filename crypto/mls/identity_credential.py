"""A credential in which a device's identity key vouches for its MLS signature key.

It travels as the identity of a basic credential, whose format RFC 9420 section 5.3 leaves to the application, so every
implementation of MLS carries it unread. Layout, integers big-endian: version (1 byte, 1), user (opaque<V>, UTF-8,
at most 256 bytes), device (4), identity key (33, EncodeEC), generation (8), oldest generation (8), lifetime (8 + 8),
XEdDSA signature (64).
"""

from dataclasses import dataclass

from crypto.curve25519 import ENCODED_LENGTH
from crypto.errors import DecodeError
from crypto.identity import IdentityKey, IdentityKeyPair, InvalidSignature
from crypto.identity.xeddsa import SIGNATURE_LENGTH
from crypto.mls.codec import Reader, decode_exactly, opaque, u8, u32, u64
from crypto.mls.credentials import BasicCredential, Credential
from crypto.mls.errors import InvalidCredential, InvalidInput
from crypto.mls.leaf_node import Lifetime
from crypto.randomness import Randomness

_VERSION = 1
_LABEL = b"MLS identity credential 1\x00"  # no other message that an identity key signs starts like this
MAX_USER_LENGTH = 256


def check_user(user: str) -> None:
    """Raise InvalidInput for a name that no credential can hold."""
    try:
        encoded = user.encode()
    except UnicodeEncodeError:
        raise InvalidInput("the user's name is not Unicode text") from None
    if len(encoded) > MAX_USER_LENGTH:
        raise InvalidInput(f"the user's name is longer than {MAX_USER_LENGTH} bytes")


@dataclass(frozen=True, slots=True)
class IdentityCredential:
    """The statement of ``identity`` that an MLS signature key is the one of ``device`` of ``user``.

    ``generation`` counts the device's signature keys; whoever sees this statement refuses those of generations before
    ``oldest``, for they were replaced or stolen. ``lifetime`` bounds how long somebody who sees no newer statement
    can be shown this one.
    """

    user: str
    device: int
    identity: IdentityKey
    generation: int
    oldest: int
    lifetime: Lifetime
    signature: bytes

    @classmethod
    def issue(
        cls,
        identity: IdentityKeyPair,
        user: str,
        device: int,
        signature_key: bytes,
        lifetime: Lifetime,
        randomness: Randomness,
        *,
        generation: int = 1,
        oldest: int = 0,
    ) -> "IdentityCredential":
        """Vouch for ``signature_key`` with the device's identity. Raises InvalidInput for a value out of range."""
        check_user(user)
        if oldest > generation:
            raise InvalidInput("the oldest generation is newer than this one")
        unsigned = cls(user, device, identity.public, generation, oldest, lifetime, b"")
        signature = identity.sign(unsigned._signed(signature_key), randomness)
        return cls(user, device, identity.public, generation, oldest, lifetime, signature)

    def verify(self, signature_key: bytes) -> None:
        """Raise InvalidCredential unless ``identity`` vouches for ``signature_key`` here."""
        try:
            self.identity.verify(self._signed(signature_key), self.signature)
        except InvalidSignature:
            raise InvalidCredential("the identity key does not vouch for this signature key") from None

    def credential(self) -> BasicCredential:
        """As it goes into a leaf node."""
        return BasicCredential(self._body() + self.signature)

    @classmethod
    def of(cls, credential: Credential) -> "IdentityCredential":
        """What :meth:`credential` wrote; InvalidCredential for any other credential. Verifies nothing."""
        if not isinstance(credential, BasicCredential):
            raise InvalidCredential("not an identity credential")
        try:
            return decode_exactly(credential.identity, cls._decode)
        except DecodeError as error:
            raise InvalidCredential(f"not an identity credential: {error}") from None

    @property
    def client(self) -> tuple[str, int, IdentityKey]:
        """What stays when the signature key changes."""
        return self.user, self.device, self.identity

    def _signed(self, signature_key: bytes) -> bytes:
        return _LABEL + self._body() + opaque(signature_key)

    def _body(self) -> bytes:
        return b"".join(
            (
                u8(_VERSION),
                opaque(self.user.encode()),
                u32(self.device),
                self.identity.encode(),
                u64(self.generation),
                u64(self.oldest),
                self.lifetime.encode(),
            )
        )

    @classmethod
    def _decode(cls, reader: Reader) -> "IdentityCredential":
        if reader.u8() != _VERSION:
            raise DecodeError("unknown version")
        user = reader.opaque()
        if len(user) > MAX_USER_LENGTH:
            raise DecodeError("the user's name is too long")
        try:
            name = user.decode()
        except UnicodeDecodeError:
            raise DecodeError("the user's name is not UTF-8") from None
        device, identity = reader.u32(), IdentityKey.decode(reader.take(ENCODED_LENGTH))
        generation, oldest, lifetime = reader.u64(), reader.u64(), Lifetime.decode(reader)
        return cls(name, device, identity, generation, oldest, lifetime, reader.take(SIGNATURE_LENGTH))
