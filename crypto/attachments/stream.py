"""STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", 2015, §7) over AES-256-GCM: a long text in chunks that cannot be reordered, dropped or cut.

Chunk i of 64 KiB is encrypted under the nonce prefix(7) | i(4) | last(1), where last is 1 for the final chunk
and 0 otherwise, and grows by a tag of 16 bytes. A stream has at least one chunk, which may be empty only if it
is the only one.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.attachments.errors import AttachmentRejected

CHUNK_LENGTH = 1 << 16
TAG_LENGTH = 16
PREFIX_LENGTH = 7
MAX_CHUNKS = 1 << 32

_SEALED_LENGTH = CHUNK_LENGTH + TAG_LENGTH


class _Chunks:
    """The key, and the nonces in order."""

    __slots__ = ("_aead", "_associated_data", "_buffer", "_index", "_prefix")

    def __init__(self, key: bytes, prefix: bytes, associated_data: bytes) -> None:
        """``key``: 32 bytes, for this one stream. ``prefix``: 7 bytes. ``associated_data``: of every chunk."""
        self._aead = AESGCM(key)
        self._prefix = prefix
        self._associated_data = associated_data
        self._index = 0
        self._buffer = bytearray()

    def _nonce(self, last: bool) -> bytes:
        if self._index >= MAX_CHUNKS:
            raise AttachmentRejected("more than 2^32 chunks")
        nonce = self._prefix + self._index.to_bytes(4, "big") + (b"\x01" if last else b"\x00")
        self._index += 1
        return nonce


class StreamSealer(_Chunks):
    """Encrypts a stream piece by piece."""

    __slots__ = ()

    def update(self, plaintext: bytes) -> bytes:
        """Ciphertext of the chunks that are complete and certainly not the last."""
        self._buffer += plaintext
        sealed: list[bytes] = []
        start = 0
        while len(self._buffer) - start > CHUNK_LENGTH:
            chunk = bytes(self._buffer[start : start + CHUNK_LENGTH])
            sealed.append(self._aead.encrypt(self._nonce(last=False), chunk, self._associated_data))
            start += CHUNK_LENGTH
        del self._buffer[:start]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """The last chunk. The sealer is of no use afterwards."""
        return self._aead.encrypt(self._nonce(last=True), bytes(self._buffer), self._associated_data)


class StreamOpener(_Chunks):
    """Decrypts a stream piece by piece. Only ``finish`` proves that nothing is missing."""

    __slots__ = ()

    def update(self, ciphertext: bytes) -> bytes:
        """Plaintext of the chunks that are complete and certainly not the last.

        Raises ``AttachmentRejected``.
        """
        self._buffer += ciphertext
        opened: list[bytes] = []
        start = 0
        while len(self._buffer) - start > _SEALED_LENGTH:
            opened.append(self._open(bytes(self._buffer[start : start + _SEALED_LENGTH]), last=False))
            start += _SEALED_LENGTH
        del self._buffer[:start]
        return b"".join(opened)

    def finish(self) -> bytes:
        """Plaintext of the last chunk. Raises ``AttachmentRejected`` if the stream was cut or altered."""
        if self._index > 0 and len(self._buffer) <= TAG_LENGTH:
            raise AttachmentRejected("the last chunk is missing")
        return self._open(bytes(self._buffer), last=True)

    def _open(self, chunk: bytes, last: bool) -> bytes:
        try:
            return self._aead.decrypt(self._nonce(last), chunk, self._associated_data)
        except InvalidTag:
            raise AttachmentRejected("a chunk is not authentic") from None
