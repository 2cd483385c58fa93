"""PublicMessage: signed, not encrypted, and proven to come from a member (RFC 9420 section 6.2)."""

from dataclasses import dataclass

from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, opaque
from crypto.mls.errors import InvalidMessage
from crypto.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    SenderType,
    WireFormat,
    decode_auth,
)
from crypto.mls.group_context import GroupContext


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """Authenticated content and, from members, the MAC that only members can make."""

    content: AuthenticatedContent
    membership_tag: bytes | None

    def encode(self) -> bytes:
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.content.framed.encoded + self.content.encoded_auth + tag

    @classmethod
    def decode(cls, reader: Reader) -> "PublicMessage":
        framed = FramedContent.decode(reader)
        signature, tag = decode_auth(reader, framed.content_type)
        membership = reader.opaque() if framed.sender.sender_type == SenderType.MEMBER else None
        return cls(AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, signature, tag), membership)


def protect_public(
    crypto: SuiteCrypto,
    content: AuthenticatedContent,
    context: GroupContext | None,
    membership_key: bytes | None,
) -> PublicMessage:
    """As a PublicMessage; ``membership_key`` (Nh bytes) for members only. Application data is refused."""
    if content.framed.content_type == ContentType.APPLICATION:
        raise InvalidMessage("application data is never sent in the clear")
    if content.framed.sender.sender_type != SenderType.MEMBER:
        return PublicMessage(content, None)
    if membership_key is None:
        raise ValueError("a member's message needs the membership key")
    return PublicMessage(content, crypto.mac(membership_key, _tbm(content, context)))


def unprotect_public(
    crypto: SuiteCrypto, message: PublicMessage, context: GroupContext, membership_key: bytes
) -> AuthenticatedContent:
    """The content after its membership tag was verified. The signature is left to the caller."""
    content = message.content
    if content.framed.content_type == ContentType.APPLICATION:
        raise InvalidMessage("application data is never sent in the clear")
    if message.membership_tag is not None:
        crypto.check_mac(membership_key, _tbm(content, context), message.membership_tag)
    return content


def _tbm(content: AuthenticatedContent, context: GroupContext | None) -> bytes:
    """AuthenticatedContentTBM."""
    return content.framed.to_be_signed(WireFormat.PUBLIC_MESSAGE, context) + content.encoded_auth
