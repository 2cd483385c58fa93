"""GroupInfo and Welcome (RFC 9420 sections 12.4.3 and 12.4.3.1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, decode_exactly, opaque, optional, u16, u32, vector
from crypto.mls.errors import DecryptionFailed, InvalidWelcome
from crypto.mls.extensions import Extensions, decode_extensions, encode_extensions
from crypto.mls.group_context import GroupContext
from crypto.mls.hpke import Ciphertext
from crypto.mls.psk import PskId, decode_psk_id
from crypto.mls.signatures import SigningKey
from crypto.mls.update_path import decode_ciphertext, encode_ciphertext
from crypto.randomness import Randomness


@dataclass(frozen=True)
class GroupInfo:
    """The state of a group as shown to joiners, signed by the member at leaf ``signer``."""

    group_context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes

    @cached_property
    def content(self) -> bytes:
        """GroupInfoTBS."""
        return b"".join(
            (
                self.group_context.encoded,
                encode_extensions(self.extensions),
                opaque(self.confirmation_tag),
                u32(self.signer),
            )
        )

    def encode(self) -> bytes:
        return self.content + opaque(self.signature)

    @classmethod
    def decode(cls, reader: Reader) -> "GroupInfo":
        return cls(
            GroupContext.decode(reader),
            decode_extensions(reader),
            reader.opaque(),
            reader.u32(),
            reader.opaque(),
        )

    @classmethod
    def sign(
        cls,
        crypto: SuiteCrypto,
        group_context: GroupContext,
        extensions: Extensions,
        confirmation_tag: bytes,
        signer: int,
        key: SigningKey,
    ) -> "GroupInfo":
        unsigned = cls(group_context, extensions, confirmation_tag, signer, b"")
        signature = crypto.sign_with_label(key, "GroupInfoTBS", unsigned.content)
        return cls(group_context, extensions, confirmation_tag, signer, signature)

    def verify(self, crypto: SuiteCrypto, signature_key: bytes) -> None:
        """Raise InvalidSignature unless ``signature_key`` signed this."""
        crypto.verify_with_label(signature_key, "GroupInfoTBS", self.content, self.signature)


@dataclass(frozen=True, slots=True, repr=False)
class GroupSecrets:
    """What a Welcome tells each joiner in secret; the two secrets have Nh bytes."""

    joiner_secret: bytes
    path_secret: bytes | None
    psks: tuple[PskId, ...]

    def encode(self) -> bytes:
        path_secret = None if self.path_secret is None else opaque(self.path_secret)
        return b"".join(
            (
                opaque(self.joiner_secret),
                optional(path_secret),
                vector(psk.encode() for psk in self.psks),
            )
        )

    @classmethod
    def decode(cls, reader: Reader) -> "GroupSecrets":
        return cls(reader.opaque(), reader.optional(Reader.opaque), reader.vector(decode_psk_id))

    def check_sizes(self, crypto: SuiteCrypto) -> None:
        """Raise InvalidWelcome unless every secret and nonce has the length that the suite prescribes."""
        path_size = crypto.hash_size if self.path_secret is None else len(self.path_secret)
        if {len(self.joiner_secret), path_size, *(len(psk.nonce) for psk in self.psks)} != {crypto.hash_size}:
            raise InvalidWelcome("a secret or nonce in the Welcome has the wrong length")


@dataclass(frozen=True, slots=True)
class EncryptedGroupSecrets:
    """GroupSecrets sealed to the init key of the KeyPackage with reference ``new_member``."""

    new_member: bytes
    sealed: Ciphertext

    def encode(self) -> bytes:
        return opaque(self.new_member) + encode_ciphertext(self.sealed)

    @classmethod
    def decode(cls, reader: Reader) -> "EncryptedGroupSecrets":
        return cls(reader.opaque(), decode_ciphertext(reader))


@dataclass(frozen=True, slots=True)
class Welcome:
    """The invitation to all members added by one commit."""

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    def encode(self) -> bytes:
        return b"".join(
            (
                u16(self.cipher_suite),
                vector(entry.encode() for entry in self.secrets),
                opaque(self.encrypted_group_info),
            )
        )

    @classmethod
    def decode(cls, reader: Reader) -> "Welcome":
        return cls(reader.u16(), reader.vector(EncryptedGroupSecrets.decode), reader.opaque())

    @classmethod
    def seal(
        cls,
        crypto: SuiteCrypto,
        encrypted_group_info: bytes,
        recipients: Iterable[tuple[bytes, bytes, GroupSecrets]],
        randomness: Randomness,
    ) -> "Welcome":
        """Seal to ``recipients``: (KeyPackageRef, init key, what to tell)."""
        context = crypto.encryption_context("Welcome", encrypted_group_info)
        entries = tuple(
            EncryptedGroupSecrets(reference, crypto.seal(init_key, context, secrets.encode(), randomness))
            for reference, init_key, secrets in recipients
        )
        return cls(crypto.suite, entries, encrypted_group_info)

    def open_secrets(self, crypto: SuiteCrypto, reference: bytes, init_private_key: bytes) -> GroupSecrets:
        """The secrets for the KeyPackage with this reference; InvalidWelcome if there are none."""
        entry = next((entry for entry in self.secrets if entry.new_member == reference), None)
        if entry is None:
            raise InvalidWelcome("the Welcome is not for this KeyPackage")
        context = crypto.encryption_context("Welcome", self.encrypted_group_info)
        secrets = decode_exactly(crypto.open(init_private_key, context, entry.sealed), GroupSecrets.decode)
        secrets.check_sizes(crypto)
        return secrets

    def open_group_info(self, crypto: SuiteCrypto, key: bytes, nonce: bytes) -> GroupInfo:
        """The GroupInfo under the Welcome key, or DecryptionFailed."""
        if len(self.encrypted_group_info) < 16:
            raise DecryptionFailed("ciphertext does not authenticate")
        return decode_exactly(crypto.aead.open(key, nonce, b"", self.encrypted_group_info), GroupInfo.decode)
