"""Version 3 of Signal's message format on top of `crypto.handshake.x3dh` and `crypto.ratchet`, for tests alone.

From the published specifications (X3DH; Double Ratchet §5.2 with AES-256-CBC and HMAC) and the protocol buffers
that version 3 puts around them:
  SignalMessage         version | {1: ratchet key, 2: counter, 3: previous counter, 4: ciphertext} | MAC(8)
  PreKeySignalMessage   version | {1: one-time prekey id, 2: base key, 3: identity key, 4: SignalMessage,
                                   5: registration id, 6: signed prekey id}
Public keys on the wire have 33 bytes. The version byte's upper half is 3.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any

import nacl.bindings
import nacl.exceptions
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import curve25519
from crypto.errors import DecodeError
from crypto.handshake import x3dh
from crypto.identity import IdentityKey, IdentityKeyPair, xeddsa
from crypto.randomness import Randomness
from crypto.ratchet import DoubleRatchet, Envelope, Header, MessageRejected, RatchetParameters, Rejection

SIGNAL_MESSAGE = 2
PREKEY_MESSAGE = 3

_VERSION = 0x33
_MAC_LENGTH = 8


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _encode_fields(*fields: tuple[int, int | bytes | None]) -> bytes:
    """A protocol buffer of (number, value) with varint and byte-string values; None is left out."""
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += _varint(number << 3) + _varint(value)
        elif value is not None:
            encoded += _varint(number << 3 | 2) + _varint(len(value)) + value
    return encoded


def _decode_fields(data: bytes) -> dict[int, int | bytes]:
    """The inverse; raises DecodeError."""
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            if position >= len(data) or shift > 63:
                raise DecodeError("protocol buffer: truncated")
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    fields: dict[int, int | bytes] = {}
    while position < len(data):
        tag = varint()
        if tag & 7 == 0:
            fields[tag >> 3] = varint()
        elif tag & 7 == 2:
            length = varint()
            if position + length > len(data):
                raise DecodeError("protocol buffer: truncated")
            fields[tag >> 3] = data[position : position + length]
            position += length
        else:
            raise DecodeError("protocol buffer: unexpected wire type")
    return fields


def _integer(fields: dict[int, int | bytes], number: int) -> int:
    value = fields.get(number, 0)
    if not isinstance(value, int) or value >= 1 << 32:
        raise DecodeError("protocol buffer: not a 32-bit integer")
    return value


def _bytes(fields: dict[int, int | bytes], number: int) -> bytes:
    value = fields.get(number)
    if not isinstance(value, bytes):
        raise DecodeError("protocol buffer: a field is missing")
    return value


class SignalV3Format:
    """`MessageFormat`: plain headers, AES-256-CBC, an HMAC of 8 bytes over both identities and the message."""

    hides_header = False

    def __init__(self, own: IdentityKey, theirs: IdentityKey) -> None:
        self._own = own.encode()
        self._theirs = theirs.encode()

    @staticmethod
    def _keys(message_key: bytes) -> tuple[bytes, bytes, bytes]:
        output = HKDF(hashes.SHA256(), 80, bytes(32), b"WhisperMessageKeys").derive(message_key)
        return output[:32], output[32:64], output[64:]

    def seal(
        self,
        header_key: bytes,
        header: Header,
        message_key: bytes,
        plaintext: bytes,
        associated_data: bytes,
        randomness: Randomness,
    ) -> bytes:
        cipher_key, mac_key, iv = self._keys(message_key)
        padder = padding.PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
        ciphertext = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
        message = bytes([_VERSION]) + _encode_fields(
            (1, curve25519.encode_public(header.ratchet_key)),
            (2, header.number),
            (3, header.previous_length),
            (4, ciphertext),
        )
        return message + hmac.digest(mac_key, self._own + self._theirs + message, "sha256")[:_MAC_LENGTH]

    def split(self, message: bytes) -> Envelope:
        if len(message) < 1 + _MAC_LENGTH or message[0] >> 4 != 3:
            raise DecodeError("signal message: not version 3")
        return Envelope(b"", message[:-_MAC_LENGTH], message[-_MAC_LENGTH:])

    def open_header(self, envelope: Envelope, header_key: bytes) -> Header:
        fields = _decode_fields(envelope.header[1:])
        # Version 3 sends the last index of the previous chain where the specification has its length.
        return Header(curve25519.decode_public(_bytes(fields, 1)), _integer(fields, 3) + 1, _integer(fields, 2))

    def open(self, envelope: Envelope, message_key: bytes, associated_data: bytes) -> bytes:
        cipher_key, mac_key, iv = self._keys(message_key)
        mac = hmac.digest(mac_key, self._theirs + self._own + envelope.header, "sha256")[:_MAC_LENGTH]
        if not hmac.compare_digest(mac, envelope.body):
            raise MessageRejected(Rejection.UNAUTHENTIC)
        decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        try:
            padded = decryptor.update(_bytes(_decode_fields(envelope.header[1:]), 4)) + decryptor.finalize()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise MessageRejected(Rejection.MALFORMED) from None


def _parameters(own: IdentityKey, theirs: IdentityKey) -> RatchetParameters:
    return RatchetParameters(root_info=b"WhisperRatchet", message_format=SignalV3Format(own, theirs))


def _root_key(secrets: bytes) -> bytes:
    """The first half of 64 bytes; the second is a chain on which version 3's responder could speak first."""
    return x3dh.derive(secrets, b"WhisperText", 64)[:32]


def signature_is_valid(identity: IdentityKey, message: bytes, signature: bytes) -> bool:
    """XEdDSA as libsignal does it: the signer keeps its Edwards key's sign and sends it in the top bit."""
    edwards = xeddsa.edwards_key(identity.public, signature[63] >> 7)
    if edwards is None:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature[:63] + bytes([signature[63] & 127]) + message, edwards)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


@dataclass
class _Session:
    ratchet: DoubleRatchet
    base_key: bytes
    prekey_fields: tuple[tuple[int, int | bytes | None], ...] = ()  # empty once the peer has answered


@dataclass
class SignalV3Party:
    """One device with one session per peer; its methods mirror the operations of libsignal.mjs."""

    randomness: Randomness
    registration_id: int = 1
    identity: IdentityKeyPair = field(init=False)
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _signed: dict[int, bytes] = field(default_factory=dict)
    _one_time: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.identity = IdentityKeyPair.generate(self.randomness)

    def bundle(self, signed_prekey_id: int, prekey_id: int | None = None) -> dict[str, Any]:
        """A fresh signed prekey and, with `prekey_id`, a one-time prekey, as libsignal.mjs gives them."""
        self._signed[signed_prekey_id] = self.randomness.random_bytes(32)
        signed = curve25519.encode_public(curve25519.public_key(self._signed[signed_prekey_id]))
        prekey = None
        if prekey_id is not None:
            self._one_time[prekey_id] = self.randomness.random_bytes(32)
            prekey = curve25519.encode_public(curve25519.public_key(self._one_time[prekey_id]))
        return {
            "identity_key": self.identity.public.encode(),
            "registration_id": self.registration_id,
            "device_id": 1,
            "signed_prekey_id": signed_prekey_id,
            "signed_prekey": signed,
            "signed_prekey_signature": self.identity.sign(signed, self.randomness),
            "prekey_id": prekey_id,
            "prekey": prekey,
        }

    def start(self, peer: str, bundle: dict[str, Any]) -> None:
        """X3DH as initiator. Raises ValueError for a bad signature."""
        theirs = IdentityKey.decode(bundle["identity_key"])
        if not signature_is_valid(theirs, bundle["signed_prekey"], bundle["signed_prekey_signature"]):
            raise ValueError("the signed prekey is not signed")
        signed = curve25519.decode_public(bundle["signed_prekey"])
        one_time = None if bundle["prekey"] is None else curve25519.decode_public(bundle["prekey"])
        ephemeral = self.randomness.random_bytes(32)
        secrets = x3dh.initiator_secrets(self.identity, ephemeral, theirs, signed, one_time)
        ratchet = DoubleRatchet.initiate(
            _root_key(secrets), signed, b"", self.randomness, _parameters(self.identity.public, theirs)
        )
        base_key = curve25519.encode_public(curve25519.public_key(ephemeral))
        self._sessions[peer] = _Session(
            ratchet,
            base_key,
            prekey_fields=(
                (1, bundle["prekey_id"]),
                (2, base_key),
                (3, self.identity.public.encode()),
                (5, self.registration_id),
                (6, bundle["signed_prekey_id"]),
            ),
        )

    def encrypt(self, peer: str, data: bytes) -> tuple[int, bytes]:
        """(type, message): a PreKeySignalMessage until the peer has answered."""
        session = self._sessions[peer]
        message = session.ratchet.encrypt(data, self.randomness)
        if not session.prekey_fields:
            return SIGNAL_MESSAGE, message
        return PREKEY_MESSAGE, bytes([_VERSION]) + _encode_fields(*session.prekey_fields, (4, message))

    def decrypt(self, peer: str, kind: int, message: bytes) -> bytes:
        """The plaintext. Raises MessageRejected, DecodeError, or KeyError for an unknown prekey or session."""
        if kind == SIGNAL_MESSAGE:
            session = self._sessions[peer]
            plaintext = session.ratchet.decrypt(message)
            session.prekey_fields = ()
            return plaintext
        if not message or message[0] >> 4 != 3:
            raise DecodeError("signal message: not version 3")
        fields = _decode_fields(message[1:])
        base_key, inner = _bytes(fields, 2), _bytes(fields, 4)
        known = self._sessions.get(peer)
        if known is not None and known.base_key == base_key:
            return known.ratchet.decrypt(inner)
        theirs = IdentityKey.decode(_bytes(fields, 3))
        one_time_id = _integer(fields, 1) if 1 in fields else None
        signed = self._signed[_integer(fields, 6)]
        secrets = x3dh.responder_secrets(
            self.identity,
            signed,
            None if one_time_id is None else self._one_time[one_time_id],
            theirs,
            curve25519.decode_public(base_key),
        )
        ratchet = DoubleRatchet.respond(_root_key(secrets), signed, b"", _parameters(self.identity.public, theirs))
        plaintext = ratchet.decrypt(inner)
        self._sessions[peer] = _Session(ratchet, base_key)
        if one_time_id is not None:
            del self._one_time[one_time_id]
        return plaintext
