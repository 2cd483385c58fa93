"""How a ratchet message looks on the wire and which AEAD protects it (§3.1, §4.2).

ENCRYPT, HENCRYPT and CONCAT of the specification. The ratchet is indifferent to all three, so other
parametrisations (an older wire, an oracle's) plug in here.
"""

from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import DecodeError
from crypto.randomness import Randomness
from crypto.ratchet.errors import MessageRejected, Rejection
from crypto.ratchet.header import HEADER_LENGTH, REKEYING_HEADER_LENGTH, Header

NONCE_LENGTH = 12
TAG_LENGTH = 16
MAX_MESSAGE_LENGTH = 1 << 26  # 64 MiB; larger content travels as an attachment


class Envelope(NamedTuple):
    """A received message, split but not yet believed. ``header`` is as it was on the wire."""

    nonce: bytes
    header: bytes
    body: bytes


class MessageFormat(Protocol):
    """One wire format with its AEAD."""

    hides_header: bool
    """Whether ``open_header`` needs the header key; if not, chains are told apart by their ratchet key."""

    def seal(
        self,
        header_key: bytes,
        header: Header,
        message_key: bytes,
        plaintext: bytes,
        associated_data: bytes,
        randomness: Randomness,
    ) -> bytes:
        """The encrypted message. ``message_key`` (32 bytes) is never used for another one."""
        ...

    def split(self, message: bytes) -> Envelope:
        """Find the parts of ``message``; raises ``DecodeError``."""
        ...

    def open_header(self, envelope: Envelope, header_key: bytes) -> Header | None:
        """The header, or None if ``header_key`` does not open it."""
        ...

    def open(self, envelope: Envelope, message_key: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises ``MessageRejected``."""
        ...


def _concat(associated_data: bytes, version: bytes, header: bytes) -> bytes:
    """CONCAT (§3.1): an encoding that splits in only one way into its arguments."""
    return len(associated_data).to_bytes(4, "big") + associated_data + version + header


def _open(message_key: bytes, envelope: Envelope, associated_data: bytes) -> bytes:
    try:
        return AESGCM(message_key).decrypt(envelope.nonce, envelope.body, associated_data)
    except InvalidTag:
        raise MessageRejected(Rejection.UNAUTHENTIC) from None


class EncryptedHeaderFormat:
    """version(1) | nonce(12) | encrypted header(40 + 16) | AES-256-GCM ciphertext(plaintext + 16).

    One random nonce serves both encryptions, which use different keys. A message key encrypts one message,
    so its nonce could be constant; a random one keeps a client that lost its last state write (and so reuses
    a message key) from also reusing the nonce. A header key serves one chain of at most 2^32 messages, the
    limit for random 96-bit nonces (NIST SP 800-38D §8.3).
    """

    VERSION = b"\x01"
    HEADER_LENGTH = HEADER_LENGTH
    hides_header = True

    @staticmethod
    def _encode(header: Header) -> bytes:
        return header.encode()

    @staticmethod
    def _decode(encoded: bytes) -> Header:
        return Header.decode(encoded)

    def seal(
        self,
        header_key: bytes,
        header: Header,
        message_key: bytes,
        plaintext: bytes,
        associated_data: bytes,
        randomness: Randomness,
    ) -> bytes:
        nonce = randomness.random_bytes(NONCE_LENGTH)
        sealed_header = AESGCM(header_key).encrypt(nonce, self._encode(header), self.VERSION)
        bound = _concat(associated_data, self.VERSION, sealed_header)
        return self.VERSION + nonce + sealed_header + AESGCM(message_key).encrypt(nonce, plaintext, bound)

    def split(self, message: bytes) -> Envelope:
        body = 1 + NONCE_LENGTH + self.HEADER_LENGTH + TAG_LENGTH
        if not body + TAG_LENGTH <= len(message) <= MAX_MESSAGE_LENGTH:
            raise DecodeError("ratchet message: impossible length")
        if message[:1] != self.VERSION:
            raise DecodeError("ratchet message: unknown version")
        return Envelope(message[1:13], message[13:body], message[body:])

    def open_header(self, envelope: Envelope, header_key: bytes) -> Header | None:
        try:
            encoded = AESGCM(header_key).decrypt(envelope.nonce, envelope.header, self.VERSION)
        except InvalidTag:
            return None
        return self._decode(encoded)

    def open(self, envelope: Envelope, message_key: bytes, associated_data: bytes) -> bytes:
        return _open(message_key, envelope, _concat(associated_data, self.VERSION, envelope.header))


class RekeyingFormat(EncryptedHeaderFormat):
    """The same with a header of 44 bytes, which names the rekey that its chain began with."""

    VERSION = b"\x03"
    HEADER_LENGTH = REKEYING_HEADER_LENGTH

    @staticmethod
    def _encode(header: Header) -> bytes:
        return header.encode_rekeying()

    @staticmethod
    def _decode(encoded: bytes) -> Header:
        return Header.decode_rekeying(encoded)


class PlainHeaderFormat:
    """version(1) | nonce(12) | header(40) | AES-256-GCM ciphertext(plaintext + 16): §3, header readable."""

    VERSION = b"\x02"
    OVERHEAD = 1 + NONCE_LENGTH + HEADER_LENGTH + TAG_LENGTH
    hides_header = False

    def seal(
        self,
        header_key: bytes,
        header: Header,
        message_key: bytes,
        plaintext: bytes,
        associated_data: bytes,
        randomness: Randomness,
    ) -> bytes:
        nonce = randomness.random_bytes(NONCE_LENGTH)
        encoded = header.encode()
        bound = _concat(associated_data, self.VERSION, encoded)
        return self.VERSION + nonce + encoded + AESGCM(message_key).encrypt(nonce, plaintext, bound)

    def split(self, message: bytes) -> Envelope:
        if not self.OVERHEAD <= len(message) <= MAX_MESSAGE_LENGTH:
            raise DecodeError("ratchet message: impossible length")
        if message[:1] != self.VERSION:
            raise DecodeError("ratchet message: unknown version")
        return Envelope(message[1:13], message[13:53], message[53:])

    def open_header(self, envelope: Envelope, header_key: bytes) -> Header | None:
        return Header.decode(envelope.header)

    def open(self, envelope: Envelope, message_key: bytes, associated_data: bytes) -> bytes:
        return _open(message_key, envelope, _concat(associated_data, self.VERSION, envelope.header))
