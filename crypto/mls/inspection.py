"""What a delivery service reads from messages that it cannot, or need not, decrypt."""

from dataclasses import dataclass

from crypto.mls.cipher_suite import cipher_suite, suite_crypto
from crypto.mls.errors import InvalidWelcome
from crypto.mls.framing import ContentType, Sender, WireFormat
from crypto.mls.key_package import KeyPackage
from crypto.mls.messages import decode_message
from crypto.mls.policy import GroupPolicy
from crypto.mls.private_message import PrivateMessage
from crypto.mls.public_message import PublicMessage
from crypto.mls.tree_validation import LeafRules
from crypto.mls.welcome import GroupInfo, Welcome


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """What the outside of a message says; nothing of it is verified.

    ``group_id`` and ``epoch`` are None for a Welcome and a KeyPackage, ``content_type`` for all that are no message to
    a group. ``sender`` is None where it is encrypted, and for what has no sender.
    """

    wire_format: WireFormat
    group_id: bytes | None = None
    epoch: int | None = None
    content_type: ContentType | None = None
    sender: Sender | None = None


def inspect_message(message: bytes) -> MessageInfo:
    """Group, epoch, kind and sender of any MLSMessage, as far as they are to be seen. Raises DecodeError."""
    match decode_message(message):
        case PublicMessage(content):
            framed = content.framed
            return MessageInfo(
                WireFormat.PUBLIC_MESSAGE, framed.group_id, framed.epoch, framed.content_type, framed.sender
            )
        case PrivateMessage() as private:
            return MessageInfo(WireFormat.PRIVATE_MESSAGE, private.group_id, private.epoch, private.content_type)
        case GroupInfo(context):
            return MessageInfo(WireFormat.GROUP_INFO, context.group_id, context.epoch)
        case Welcome():
            return MessageInfo(WireFormat.WELCOME)
        case KeyPackage():
            return MessageInfo(WireFormat.KEY_PACKAGE)


def welcome_recipients(welcome: bytes) -> tuple[bytes, ...]:
    """The references of the KeyPackages that a Welcome is for. Raises InvalidWelcome, or DecodeError."""
    message = decode_message(welcome)
    if not isinstance(message, Welcome):
        raise InvalidWelcome("not a Welcome")
    return tuple(entry.new_member for entry in message.secrets)


def check_key_package(message: bytes, *, now: int, policy: GroupPolicy) -> KeyPackage:
    """The KeyPackage in ``message``, once it is known that members would add it (RFC 9420 section 10.1).

    Checks both signatures, the lifetime, the keys and the credential; raises what a committer would raise.
    """
    package = KeyPackage.from_message(message)
    suite = cipher_suite(package.cipher_suite)
    policy.check_suite(suite)
    crypto = suite_crypto(suite)
    rules = LeafRules(crypto, b"", (), policy.authentication, policy.max_lifetime, now)
    rules.check_key_package(package)
    return package
