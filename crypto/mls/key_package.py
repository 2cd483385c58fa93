"""KeyPackages: what a client publishes so that others can add it (RFC 9420 section 10)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.mls.capabilities import MLS10, Capabilities
from crypto.mls.cipher_suite import CipherSuite, SuiteCrypto, cipher_suite, suite_crypto
from crypto.mls.codec import Reader, decode_exactly, opaque, u16
from crypto.mls.credentials import Credential
from crypto.mls.extensions import (
    Extension,
    Extensions,
    ExtensionType,
    decode_extensions,
    encode_extensions,
    find_extension,
)
from crypto.mls.leaf_node import LeafNode, LeafNodeSource, Lifetime
from crypto.mls.signatures import SigningKey, stored_key
from crypto.randomness import Randomness

_STATE = b"MLS key package bundle\x00"
_STATE_VERSION = 1
_WIRE_FORMAT = 0x0005  # mls_key_package


@dataclass(frozen=True)
class KeyPackage:
    """A signed offer to be added to one group. ``init_key`` is used once, for the Welcome."""

    version: int
    cipher_suite: int
    init_key: bytes
    leaf_node: LeafNode
    extensions: Extensions
    signature: bytes

    @cached_property
    def content(self) -> bytes:
        """KeyPackageTBS."""
        return b"".join(
            (
                u16(self.version),
                u16(self.cipher_suite),
                opaque(self.init_key),
                self.leaf_node.encoded,
                encode_extensions(self.extensions),
            )
        )

    @cached_property
    def encoded(self) -> bytes:
        return self.content + opaque(self.signature)

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def decode(cls, reader: Reader) -> "KeyPackage":
        start = reader.position
        version, suite, init_key = reader.u16(), reader.u16(), reader.opaque()
        leaf_node = LeafNode.decode(reader)
        extensions = decode_extensions(reader)
        content = reader.since(start)
        package = cls(version, suite, init_key, leaf_node, extensions, reader.opaque())
        package.__dict__["content"] = content
        package.__dict__["encoded"] = reader.since(start)
        return package

    def message(self) -> bytes:
        """As an MLSMessage."""
        return u16(MLS10) + u16(_WIRE_FORMAT) + self.encoded

    @classmethod
    def from_message(cls, data: bytes) -> "KeyPackage":
        """From an MLSMessage; DecodeError if it is not one with a KeyPackage. Nothing is verified yet."""

        def read(reader: Reader) -> "KeyPackage":
            if reader.u16() != MLS10 or reader.u16() != _WIRE_FORMAT:
                raise DecodeError("not a KeyPackage message")
            package = cls.decode(reader)
            if package.version != MLS10:
                raise DecodeError("the versions of message and KeyPackage differ")
            return package

        return decode_exactly(data, read)

    @property
    def is_last_resort(self) -> bool:
        """Whether it is marked to be used more than once, when there are no others."""
        return find_extension(self.extensions, ExtensionType.LAST_RESORT) is not None

    def verify_signature(self, crypto: SuiteCrypto) -> None:
        """Raise InvalidSignature unless the leaf's key signed this KeyPackage."""
        crypto.verify_with_label(self.leaf_node.signature_key, "KeyPackageTBS", self.content, self.signature)

    def reference(self) -> bytes:
        """KeyPackageRef (section 5.2): the hash by which a Welcome names this KeyPackage."""
        crypto = suite_crypto(cipher_suite(self.cipher_suite))
        return crypto.ref_hash("MLS 1.0 KeyPackage Reference", self.encoded)


@dataclass(frozen=True)
class SignatureKeyPair:
    """A client's signature key for one cipher suite."""

    suite: CipherSuite
    key: SigningKey

    @classmethod
    def generate(cls, suite: CipherSuite, randomness: Randomness) -> "SignatureKeyPair":
        return cls(suite, suite_crypto(suite).signature.generate(randomness))

    @classmethod
    def from_private(cls, suite: CipherSuite, private_key: bytes) -> "SignatureKeyPair":
        """From its private half: 32 or 57 bytes for EdDSA, a big-endian scalar for ECDSA."""
        return cls(suite, suite_crypto(suite).signature.load(private_key))

    @property
    def public_key(self) -> bytes:
        return self.key.public_key

    @property
    def private_key(self) -> bytes:
        return self.key.private_key


@dataclass(frozen=True, repr=False)
class KeyPackageBundle:
    """A KeyPackage together with its three private keys. Delete it after the Welcome that used it."""

    key_package: KeyPackage
    init_private_key: bytes
    leaf_private_key: bytes
    signer: SignatureKeyPair

    def __repr__(self) -> str:
        return f"KeyPackageBundle(reference={self.reference().hex()})"

    @classmethod
    def generate(
        cls,
        suite: CipherSuite,
        credential: Credential,
        signer: SignatureKeyPair,
        lifetime: Lifetime,
        randomness: Randomness,
        *,
        capabilities: Capabilities | None = None,
        leaf_extensions: Iterable[Extension] = (),
        extensions: Iterable[Extension] = (),
        last_resort: bool = False,
    ) -> "KeyPackageBundle":
        """A fresh KeyPackage for ``suite``, signed by ``signer``; ``capabilities`` default to what it uses and more.

        ``last_resort`` marks one that may be used again and again when all others are.
        """
        crypto = suite_crypto(suite)
        mark = (Extension(ExtensionType.LAST_RESORT, b""),) if last_resort else ()
        leaf_extensions, extensions = tuple(leaf_extensions), (*extensions, *mark)
        capabilities = capabilities or Capabilities.default(
            (extension.extension_type for extension in (*leaf_extensions, *extensions)), suites=(suite,)
        )
        init_private_key, init_key = crypto.kem.generate_key_pair(randomness)
        leaf_private_key, leaf_node = new_leaf_node(
            crypto, credential, signer, lifetime, randomness, capabilities, leaf_extensions
        )
        unsigned = KeyPackage(MLS10, suite, init_key, leaf_node, extensions, b"")
        signature = crypto.sign_with_label(signer.key, "KeyPackageTBS", unsigned.content)
        package = KeyPackage(MLS10, suite, init_key, leaf_node, extensions, signature)
        return cls(package, init_private_key, leaf_private_key, signer)

    def message(self) -> bytes:
        """The KeyPackage as an MLSMessage, to publish."""
        return self.key_package.message()

    def reference(self) -> bytes:
        return self.key_package.reference()

    def serialize(self) -> bytes:
        """The bundle with its private keys, to store."""
        return b"".join(
            (
                _STATE,
                u16(_STATE_VERSION),
                opaque(self.key_package.encoded),
                opaque(self.init_private_key),
                opaque(self.leaf_private_key),
                opaque(self.signer.private_key),
            )
        )

    @classmethod
    def restore(cls, data: bytes) -> "KeyPackageBundle":
        """What :meth:`serialize` wrote; DecodeError, or UnsupportedStateVersion if it is newer than this code."""

        def read(reader: Reader) -> "KeyPackageBundle":
            if reader.take(len(_STATE)) != _STATE:
                raise DecodeError("not a KeyPackage bundle")
            version = reader.u16()
            if version == 0:
                raise DecodeError("not a version of a stored KeyPackage bundle")
            if version != _STATE_VERSION:
                raise UnsupportedStateVersion("MLS KeyPackage bundle", version, _STATE_VERSION)
            package = decode_exactly(reader.opaque(), KeyPackage.decode)
            if package.cipher_suite not in tuple(CipherSuite):
                raise DecodeError("unsupported cipher suite")
            suite = CipherSuite(package.cipher_suite)
            crypto = suite_crypto(suite)
            init_private_key, leaf_private_key = (reader.fixed(crypto.kem.private_size) for _ in range(2))
            key = stored_key(crypto.signature, reader.opaque())
            return cls(package, init_private_key, leaf_private_key, SignatureKeyPair(suite, key))

        return decode_exactly(data, read)


def new_leaf_node(
    crypto: SuiteCrypto,
    credential: Credential,
    signer: SignatureKeyPair,
    lifetime: Lifetime,
    randomness: Randomness,
    capabilities: Capabilities | None,
    extensions: Extensions,
) -> tuple[bytes, LeafNode]:
    """A leaf node that belongs to no group yet: (its private encryption key, the signed leaf)."""
    private_key, encryption_key = crypto.kem.generate_key_pair(randomness)
    leaf = LeafNode(
        encryption_key,
        signer.public_key,
        credential,
        capabilities
        or Capabilities.default((extension.extension_type for extension in extensions), suites=(crypto.suite,)),
        LeafNodeSource.KEY_PACKAGE,
        lifetime,
        None,
        extensions,
        b"",
    )
    return private_key, leaf.signed(crypto, signer.key)
