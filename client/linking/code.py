"""What a new device shows to one that is in the account already, past the server: its keys, so that the server cannot
exchange them, and a secret, so that nobody else can tell the new device what it has to believe.

Whoever cannot pass the whole code on compares digits of both devices instead. Then the new device is told nothing.
"""

import base64
import hashlib
from dataclasses import dataclass, field

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox

_PREFIX = "entativa-link:"
_ID, _KEY = 16, 32
_ROUNDS = 5_200  # of SHA-512, as in Signal's fingerprints: with 20 digits 78 bits of work, for ten minutes


@dataclass(frozen=True, slots=True)
class LinkCode:
    """`link_id`: 32 hexadecimal digits. `identity_key`: encoded, and `ephemeral_key` (32 bytes, X25519), public.
    `secret`: 32 bytes; empty where only digits are compared."""

    link_id: str
    identity_key: bytes
    ephemeral_key: bytes
    secret: bytes = field(default=b"", repr=False)

    def encode(self) -> str:
        """The code as text: prefix | Base64 of id(16), ephemeral key(32), secret(32), identity key."""
        data = bytes.fromhex(self.link_id) + self.ephemeral_key + self.secret + self.identity_key
        return _PREFIX + base64.urlsafe_b64encode(data).decode()

    @classmethod
    def decode(cls, text: str) -> "LinkCode":
        """The inverse of `encode`. Raises ValueError."""
        text = "".join(text.split())
        if not text.startswith(_PREFIX):
            raise ValueError("this is no code of a device")
        data = base64.urlsafe_b64decode(text.removeprefix(_PREFIX))
        if len(data) <= _ID + 2 * _KEY:
            raise ValueError("this code of a device is incomplete")
        return cls(data[:_ID].hex(), data[80:], data[_ID:48], data[48:80])

    def digits(self) -> str:
        """20 digits of the keys, in groups of five, for comparing."""
        digest = b"entativa device link" + self.ephemeral_key + self.identity_key
        for _ in range(_ROUNDS):
            digest = hashlib.sha512(digest).digest()
        return " ".join(f"{int.from_bytes(digest[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 20, 5))

    def seal(self, content: bytes) -> bytes:
        """Encrypts something for the new device, which only somebody can do who has its secret."""
        return SecretBox(self.secret).encrypt(SealedBox(PublicKey(self.ephemeral_key)).encrypt(content))

    def open(self, ephemeral: bytes, box: bytes) -> bytes:
        """The inverse of `seal`; `ephemeral`: the private key. Raises ValueError."""
        try:
            return SealedBox(PrivateKey(ephemeral)).decrypt(SecretBox(self.secret).decrypt(box))
        except CryptoError as error:
            raise ValueError("the box is not from somebody who has the code") from error
