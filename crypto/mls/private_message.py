"""PrivateMessage: content and sender encrypted for the group (RFC 9420 section 6.3)."""

from dataclasses import dataclass

from crypto.errors import DecodeError
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, decode_exactly, opaque, u8, u32, u64
from crypto.mls.errors import DecryptionFailed, InvalidInput, InvalidMessage
from crypto.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    decode_auth,
    decode_content,
    decode_content_type,
    encode_content,
)
from crypto.mls.secret_tree import Lookup, RatchetKind, SecretTree
from crypto.randomness import Randomness


@dataclass(frozen=True, slots=True, repr=False)
class PrivateMessage:
    """An encrypted message; group, epoch, type and authenticated data stay readable."""

    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return self.content_aad() + opaque(self.encrypted_sender_data) + opaque(self.ciphertext)

    @classmethod
    def decode(cls, reader: Reader) -> "PrivateMessage":
        return cls(
            reader.opaque(),
            reader.u64(),
            decode_content_type(reader),
            reader.opaque(),
            reader.opaque(),
            reader.opaque(),
        )

    def sender_data_aad(self) -> bytes:
        """SenderDataAAD."""
        return opaque(self.group_id) + u64(self.epoch) + u8(self.content_type)

    def content_aad(self) -> bytes:
        """PrivateContentAAD: the same, and the authenticated data."""
        return self.sender_data_aad() + opaque(self.authenticated_data)


@dataclass(frozen=True, slots=True)
class SenderData:
    """Who sent a message, with which key; ``reuse_guard`` has 4 bytes."""

    leaf: int
    generation: int
    reuse_guard: bytes

    def encode(self) -> bytes:
        return u32(self.leaf) + u32(self.generation) + self.reuse_guard

    @classmethod
    def decode(cls, reader: Reader) -> "SenderData":
        return cls(reader.u32(), reader.u32(), reader.take(4))


def ratchet_kind(kind: ContentType) -> RatchetKind:
    """Which of a sender's two ratchets protects this type of content."""
    return RatchetKind.APPLICATION if kind == ContentType.APPLICATION else RatchetKind.HANDSHAKE


def sender_data_key(crypto: SuiteCrypto, secret: bytes, ciphertext: bytes) -> tuple[bytes, bytes]:
    """(key, nonce) for the sender data, bound to a sample of the ciphertext (section 6.3.2)."""
    sample = ciphertext[: crypto.hash_size]
    return (
        crypto.expand_with_label(secret, "key", sample, crypto.key_size),
        crypto.expand_with_label(secret, "nonce", sample, crypto.nonce_size),
    )


def protect_private(
    crypto: SuiteCrypto,
    content: AuthenticatedContent,
    secret_tree: SecretTree,
    sender_data_secret: bytes,
    randomness: Randomness,
    padding: int = 0,
) -> PrivateMessage:
    """Encrypt with the sender's next key, which is used up by it; ``padding`` zero bytes are appended."""
    framed = content.framed
    leaf = framed.sender.index
    if framed.sender.sender_type != SenderType.MEMBER or leaf is None:
        raise InvalidMessage("only members can encrypt")
    if padding < 0:
        raise InvalidInput("negative padding")
    kind = ratchet_kind(framed.content_type)
    lookup = secret_tree.look_up(leaf, kind, secret_tree.next_generation(leaf, kind))
    secret_tree.consume(lookup)
    plaintext = encode_content(framed.content) + content.encoded_auth + bytes(padding)
    message = PrivateMessage(framed.group_id, framed.epoch, framed.content_type, framed.authenticated_data, b"", b"")
    guard = randomness.random_bytes(4)
    ciphertext = crypto.aead.seal(
        lookup.message_key.key, _guarded(lookup.message_key.nonce, guard), message.content_aad(), plaintext
    )
    key, nonce = sender_data_key(crypto, sender_data_secret, ciphertext)
    sender_data = SenderData(leaf, lookup.generation, guard).encode()
    return PrivateMessage(
        message.group_id,
        message.epoch,
        message.content_type,
        message.authenticated_data,
        crypto.aead.seal(key, nonce, message.sender_data_aad(), sender_data),
        ciphertext,
    )


def open_sender_data(crypto: SuiteCrypto, message: PrivateMessage, sender_data_secret: bytes) -> SenderData:
    """Who claims to have sent ``message``, which every member can claim to be anybody. Raises DecryptionFailed."""
    key, nonce = sender_data_key(crypto, sender_data_secret, message.ciphertext)
    opened = _open(crypto, key, nonce, message.sender_data_aad(), message.encrypted_sender_data)
    return decode_exactly(opened, SenderData.decode)


def unprotect_private(
    crypto: SuiteCrypto, message: PrivateMessage, secret_tree: SecretTree, sender_data: SenderData
) -> tuple[AuthenticatedContent, Lookup]:
    """Decrypt; the caller verifies the signature and then consumes the lookup. Changes nothing.

    Raises DecryptionFailed, KeyUnavailable, or DecodeError for a malformed plaintext or padding that is not zero.
    """
    lookup = secret_tree.look_up(sender_data.leaf, ratchet_kind(message.content_type), sender_data.generation)
    plaintext = _open(
        crypto,
        lookup.message_key.key,
        _guarded(lookup.message_key.nonce, sender_data.reuse_guard),
        message.content_aad(),
        message.ciphertext,
    )
    reader = Reader(plaintext)
    content = decode_content(reader, message.content_type)
    signature, tag = decode_auth(reader, message.content_type)
    if reader.rest().strip(b"\x00"):
        raise DecodeError("padding is not zero")
    framed = FramedContent(
        message.group_id,
        message.epoch,
        Sender.member(sender_data.leaf),
        message.authenticated_data,
        content,
    )
    return AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, signature, tag), lookup


def _open(crypto: SuiteCrypto, key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    if len(ciphertext) < 16:
        raise DecryptionFailed("ciphertext does not authenticate")
    return crypto.aead.open(key, nonce, aad, ciphertext)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(nonce[:4], guard, strict=True)) + nonce[4:]
