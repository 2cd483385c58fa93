"""Message framing and content authentication (RFC 9420 sections 6 and 6.1)."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from crypto.errors import DecodeError
from crypto.mls.capabilities import MLS10
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, opaque, u8, u16, u32, u64
from crypto.mls.group_context import GroupContext
from crypto.mls.proposals import Commit, Proposal, decode_proposal, encode_proposal
from crypto.mls.signatures import SigningKey


class WireFormat(IntEnum):
    """Registered wire formats (section 17.2)."""

    PUBLIC_MESSAGE = 0x0001
    PRIVATE_MESSAGE = 0x0002
    WELCOME = 0x0003
    GROUP_INFO = 0x0004
    KEY_PACKAGE = 0x0005


class ContentType(IntEnum):
    """What a message carries."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """Who speaks."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender; ``index`` is a leaf number for members, a position for external senders, else None."""

    sender_type: SenderType
    index: int | None = None

    def encode(self) -> bytes:
        return u8(self.sender_type) + (b"" if self.index is None else u32(self.index))

    @classmethod
    def decode(cls, reader: Reader) -> "Sender":
        value = reader.u8()
        if value in (SenderType.MEMBER, SenderType.EXTERNAL):
            return cls(SenderType(value), reader.u32())
        if value in (SenderType.NEW_MEMBER_PROPOSAL, SenderType.NEW_MEMBER_COMMIT):
            return cls(SenderType(value))
        raise DecodeError("invalid sender type")

    @classmethod
    def member(cls, leaf: int) -> "Sender":
        return cls(SenderType.MEMBER, leaf)


Content = bytes | Proposal | Commit
"""Application data, a proposal or a commit."""


def content_type(content: Content) -> ContentType:
    if isinstance(content, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(content, Commit) else ContentType.PROPOSAL


def encode_content(content: Content) -> bytes:
    """The content without its type."""
    if isinstance(content, bytes):
        return opaque(content)
    return content.encode() if isinstance(content, Commit) else encode_proposal(content)


def decode_content_type(reader: Reader) -> ContentType:
    value = reader.u8()
    if value not in tuple(ContentType):
        raise DecodeError("invalid content type")
    return ContentType(value)


def decode_content(reader: Reader, kind: ContentType) -> Content:
    match kind:
        case ContentType.APPLICATION:
            return reader.opaque()
        case ContentType.PROPOSAL:
            return decode_proposal(reader)
        case ContentType.COMMIT:
            return Commit.decode(reader)


@dataclass(frozen=True)
class FramedContent:
    """A message's content with its place: group, epoch, sender and data authenticated along."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content: Content

    @property
    def content_type(self) -> ContentType:
        return content_type(self.content)

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(
            (
                opaque(self.group_id),
                u64(self.epoch),
                self.sender.encode(),
                opaque(self.authenticated_data),
                u8(self.content_type),
                encode_content(self.content),
            )
        )

    @classmethod
    def decode(cls, reader: Reader) -> "FramedContent":
        start = reader.position
        group_id, epoch, sender, data = reader.opaque(), reader.u64(), Sender.decode(reader), reader.opaque()
        framed = cls(group_id, epoch, sender, data, decode_content(reader, decode_content_type(reader)))
        framed.__dict__["encoded"] = reader.since(start)
        return framed

    def to_be_signed(self, wire_format: WireFormat, context: GroupContext | None) -> bytes:
        """FramedContentTBS; senders inside of the group, and those who join by commit, sign the context too."""
        parts = [u16(MLS10), u16(wire_format), self.encoded]
        if self.sender.sender_type in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT):
            if context is None:
                raise ValueError("members sign with their group's context")
            parts.append(context.encoded)
        return b"".join(parts)


@dataclass(frozen=True)
class AuthenticatedContent:
    """Framed content with its signature, and for commits the confirmation tag."""

    wire_format: WireFormat
    framed: FramedContent
    signature: bytes
    confirmation_tag: bytes | None = None

    @classmethod
    def sign(
        cls,
        crypto: SuiteCrypto,
        wire_format: WireFormat,
        framed: FramedContent,
        context: GroupContext | None,
        signer: SigningKey,
    ) -> "AuthenticatedContent":
        """Signed content; a commit's confirmation tag is added once it is known."""
        signature = crypto.sign_with_label(signer, "FramedContentTBS", framed.to_be_signed(wire_format, context))
        return cls(wire_format, framed, signature)

    def confirmed(self, confirmation_tag: bytes) -> "AuthenticatedContent":
        return AuthenticatedContent(self.wire_format, self.framed, self.signature, confirmation_tag)

    def verify(self, crypto: SuiteCrypto, context: GroupContext | None, signature_key: bytes) -> None:
        """Raise InvalidSignature unless ``signature_key`` signed this content in this wire format."""
        tbs = self.framed.to_be_signed(self.wire_format, context)
        crypto.verify_with_label(signature_key, "FramedContentTBS", tbs, self.signature)

    @cached_property
    def encoded_auth(self) -> bytes:
        """FramedContentAuthData."""
        tag = b"" if self.confirmation_tag is None else opaque(self.confirmation_tag)
        return opaque(self.signature) + tag

    def encode(self) -> bytes:
        return u16(self.wire_format) + self.framed.encoded + self.encoded_auth

    @classmethod
    def decode(cls, reader: Reader) -> "AuthenticatedContent":
        wire_format = reader.u16()
        if wire_format not in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
            raise DecodeError("invalid wire format")
        framed = FramedContent.decode(reader)
        return cls(WireFormat(wire_format), framed, *decode_auth(reader, framed.content_type))

    def proposal_reference(self, crypto: SuiteCrypto) -> bytes:
        """ProposalRef (section 5.2)."""
        return crypto.ref_hash("MLS 1.0 Proposal Reference", self.encode())


def decode_auth(reader: Reader, kind: ContentType) -> tuple[bytes, bytes | None]:
    """FramedContentAuthData: (signature, confirmation tag of a commit)."""
    signature = reader.opaque()
    return signature, reader.opaque() if kind == ContentType.COMMIT else None
