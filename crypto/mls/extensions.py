"""Extensions (RFC 9420 section 13.4) and the contents of the registered ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from crypto.errors import DecodeError
from crypto.mls.codec import Reader, decode_exactly, opaque, u16, vector
from crypto.mls.credentials import Credential, decode_credential


class ExtensionType(IntEnum):
    """Extension types: the RFC's own (section 17.3), which nobody lists in capabilities, and two others."""

    APPLICATION_ID = 0x0001
    RATCHET_TREE = 0x0002
    REQUIRED_CAPABILITIES = 0x0003
    EXTERNAL_PUB = 0x0004
    EXTERNAL_SENDERS = 0x0005
    LAST_RESORT = 0x000A  # of a KeyPackage; draft-ietf-mls-extensions
    ROLES = 0xF020  # private use


DEFAULT_EXTENSIONS = frozenset(range(0x0001, 0x0006))


@dataclass(frozen=True, slots=True)
class Extension:
    """A typed extension; unknown types are carried along unread."""

    extension_type: int
    data: bytes

    def encode(self) -> bytes:
        return u16(self.extension_type) + opaque(self.data)

    @classmethod
    def decode(cls, reader: Reader) -> "Extension":
        return cls(reader.u16(), reader.opaque())


Extensions = tuple[Extension, ...]


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """``Extension extensions<V>``."""
    return vector(extension.encode() for extension in extensions)


def decode_extensions(reader: Reader) -> Extensions:
    """``Extension extensions<V>``; a type that occurs twice is an error (section 13.4)."""
    extensions = reader.vector(Extension.decode)
    if len({extension.extension_type for extension in extensions}) != len(extensions):
        raise DecodeError("an extension type occurs twice")
    return extensions


def find_extension(extensions: Iterable[Extension], extension_type: int) -> bytes | None:
    """The data of the extension with this type, if there is one."""
    return next((e.data for e in extensions if e.extension_type == extension_type), None)


@dataclass(frozen=True, slots=True)
class RequiredCapabilities:
    """What every member of a group must support (section 11.1)."""

    extension_types: tuple[int, ...] = ()
    proposal_types: tuple[int, ...] = ()
    credential_types: tuple[int, ...] = ()

    def extension(self) -> Extension:
        data = b"".join(
            vector(u16(value) for value in values)
            for values in (self.extension_types, self.proposal_types, self.credential_types)
        )
        return Extension(ExtensionType.REQUIRED_CAPABILITIES, data)

    @classmethod
    def decode(cls, reader: Reader) -> "RequiredCapabilities":
        return cls(reader.u16s(), reader.u16s(), reader.u16s())

    @classmethod
    def of(cls, extensions: Iterable[Extension]) -> "RequiredCapabilities":
        """The requirements among ``extensions``; none at all if there is no such extension."""
        data = find_extension(extensions, ExtensionType.REQUIRED_CAPABILITIES)
        return cls() if data is None else decode_exactly(data, cls.decode)


@dataclass(frozen=True, slots=True)
class ExternalSender:
    """Someone outside of the group who may send proposals to it (section 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def decode(cls, reader: Reader) -> "ExternalSender":
        return cls(reader.opaque(), decode_credential(reader))


def external_senders_extension(senders: Iterable[ExternalSender]) -> Extension:
    """The group context extension that admits ``senders``, in this order."""
    return Extension(ExtensionType.EXTERNAL_SENDERS, vector(sender.encode() for sender in senders))


def external_senders(extensions: Iterable[Extension]) -> tuple[ExternalSender, ...]:
    """The external senders admitted by a group's extensions."""
    data = find_extension(extensions, ExtensionType.EXTERNAL_SENDERS)
    if data is None:
        return ()
    return decode_exactly(data, lambda reader: reader.vector(ExternalSender.decode))


def external_pub_extension(public_key: bytes) -> Extension:
    """The GroupInfo extension that external joiners need (section 12.4.3.2)."""
    return Extension(ExtensionType.EXTERNAL_PUB, opaque(public_key))


def external_pub(extensions: Iterable[Extension]) -> bytes | None:
    """The group's external public key, if the GroupInfo carries it."""
    data = find_extension(extensions, ExtensionType.EXTERNAL_PUB)
    return None if data is None else decode_exactly(data, Reader.opaque)
