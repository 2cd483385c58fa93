"""One file: version(1) | nonce prefix(7) | STREAM of (length(8) | content | zeros up to the padded length)."""

import hashlib
import hmac

from crypto import wire
from crypto.attachments.errors import AttachmentRejected
from crypto.attachments.padding import padded_length
from crypto.attachments.pointer import KEY_LENGTH, AttachmentPointer
from crypto.attachments.stream import CHUNK_LENGTH, PREFIX_LENGTH, StreamOpener, StreamSealer
from crypto.randomness import Randomness

_VERSION = b"\x01"
_LENGTH_FIELD = 8


class AttachmentWriter:
    """Encrypts a file of known length piece by piece: ``write`` ..., ``finish``, ``pointer``."""

    __slots__ = ("_digest", "_header", "_key", "_padding", "_remaining", "_sealer", "_size")

    def __init__(self, length: int, randomness: Randomness) -> None:
        """``length``: bytes of content that will be written."""
        self._key = randomness.random_bytes(KEY_LENGTH)
        self._header = _VERSION + randomness.random_bytes(PREFIX_LENGTH)
        self._sealer = StreamSealer(self._key, self._header[1:], self._header)
        self._remaining = length
        self._padding = padded_length(_LENGTH_FIELD + length) - _LENGTH_FIELD - length
        self._digest = hashlib.sha256()
        self._size = 0
        self._header += self._sealer.update(wire.u64(length))

    def _emit(self, ciphertext: bytes) -> bytes:
        ciphertext, self._header = self._header + ciphertext, b""
        self._digest.update(ciphertext)
        self._size += len(ciphertext)
        return ciphertext

    def write(self, content: bytes) -> bytes:
        """The ciphertext that is ready. Raises ``ValueError`` for more content than announced."""
        if len(content) > self._remaining:
            raise ValueError("more content than announced")
        self._remaining -= len(content)
        return self._emit(self._sealer.update(content))

    def finish(self) -> bytes:
        """The rest of the ciphertext. Raises ``ValueError`` for less content than announced."""
        if self._remaining:
            raise ValueError("less content than announced")
        rest: list[bytes] = []
        while self._padding:
            step = min(self._padding, CHUNK_LENGTH)
            rest.append(self._sealer.update(bytes(step)))
            self._padding -= step
        rest.append(self._sealer.finish())
        return self._emit(b"".join(rest))

    def pointer(self) -> AttachmentPointer:
        """What the message carries, after ``finish``."""
        return AttachmentPointer(self._key, self._size, self._digest.digest())


class AttachmentReader:
    """Decrypts a file piece by piece. Nothing may be shown or executed before ``finish`` has returned."""

    __slots__ = ("_digest", "_head", "_length", "_opener", "_plaintext", "_pointer", "_released", "_size")

    def __init__(self, pointer: AttachmentPointer) -> None:
        self._pointer = pointer
        self._digest = hashlib.sha256()
        self._size = 0
        self._head = b""
        self._opener: StreamOpener | None = None
        self._plaintext = 0  # bytes of length field, content and padding that were decrypted
        self._length: int | None = None
        self._released = 0

    def feed(self, ciphertext: bytes) -> bytes:
        """The content that is ready. Raises ``AttachmentRejected``."""
        self._digest.update(ciphertext)
        self._size += len(ciphertext)
        if self._size > self._pointer.size:
            raise AttachmentRejected("longer than its pointer says")
        if self._opener is None:
            self._head += ciphertext
            if len(self._head) < 1 + PREFIX_LENGTH:
                return b""
            header, ciphertext = self._head[: 1 + PREFIX_LENGTH], self._head[1 + PREFIX_LENGTH :]
            if header[:1] != _VERSION:
                raise AttachmentRejected("unknown version")
            self._opener = StreamOpener(self._pointer.key, header[1:], header)
        return self._content(self._opener.update(ciphertext))

    def finish(self) -> bytes:
        """The rest of the content; the whole of it is now known to be right. Raises ``AttachmentRejected``."""
        if self._opener is None:
            raise AttachmentRejected("truncated")
        content = self._content(self._opener.finish())
        if self._length is None or self._plaintext != padded_length(_LENGTH_FIELD + self._length):
            raise AttachmentRejected("not padded as its length asks for")
        if self._size != self._pointer.size or not hmac.compare_digest(self._digest.digest(), self._pointer.digest):
            raise AttachmentRejected("not the file of this pointer")
        return content

    def _content(self, plaintext: bytes) -> bytes:
        """Strip the length in front and the padding behind. The first chunk holds the whole length field."""
        self._plaintext += len(plaintext)
        if self._length is None:
            if len(plaintext) < _LENGTH_FIELD:
                return b""
            self._length = int.from_bytes(plaintext[:_LENGTH_FIELD], "big")
            plaintext = plaintext[_LENGTH_FIELD:]
        content = plaintext[: self._length - self._released]
        self._released += len(content)
        return content


def seal_attachment(content: bytes, randomness: Randomness) -> tuple[AttachmentPointer, bytes]:
    """Encrypt a file that fits into memory: (what the message carries, what the server stores)."""
    writer = AttachmentWriter(len(content), randomness)
    ciphertext = writer.write(content) + writer.finish()
    return writer.pointer(), ciphertext


def open_attachment(pointer: AttachmentPointer, ciphertext: bytes) -> bytes:
    """The inverse of ``seal_attachment``; raises ``AttachmentRejected``."""
    reader = AttachmentReader(pointer)
    return reader.feed(ciphertext) + reader.finish()
