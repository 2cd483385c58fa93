"""What a delivery service reads from messages that it cannot, or need not, decrypt."""

from dataclasses import dataclass

from crypto.mls.cipher_suite import cipher_suite, suite_crypto
from crypto.mls.codec import decode_exactly
from crypto.mls.credentials import Credential
from crypto.mls.errors import InvalidMessage, InvalidWelcome
from crypto.mls.framing import ContentType, Sender, WireFormat
from crypto.mls.key_package import KeyPackage
from crypto.mls.messages import decode_message, encode_message
from crypto.mls.parts import Parts
from crypto.mls.policy import GroupPolicy
from crypto.mls.private_message import PrivateMessage
from crypto.mls.proposals import Add, Commit, Proposal, Update
from crypto.mls.public_message import PublicMessage
from crypto.mls.public_state import pending_proposals
from crypto.mls.tree_validation import LeafRules
from crypto.mls.welcome import EncryptedGroupSecrets, GroupInfo, Welcome


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """What the outside of a message says; nothing of it is verified.

    ``group_id`` and ``epoch`` are None for a Welcome and a KeyPackage, ``content_type`` for all that are no message to
    a group. ``sender`` is None where it is encrypted, and for what has no sender. ``authenticated_data``: of a
    PrivateMessage, what its sender has sent in the clear with it.
    """

    wire_format: WireFormat
    group_id: bytes | None = None
    epoch: int | None = None
    content_type: ContentType | None = None
    sender: Sender | None = None
    authenticated_data: bytes = b""


def inspect_message(message: bytes) -> MessageInfo:
    """Group, epoch, kind and sender of any MLSMessage, as far as they are to be seen. Raises DecodeError."""
    match decode_message(message):
        case PublicMessage(content):
            framed = content.framed
            return MessageInfo(
                WireFormat.PUBLIC_MESSAGE, framed.group_id, framed.epoch, framed.content_type, framed.sender
            )
        case PrivateMessage() as private:
            return MessageInfo(
                *(WireFormat.PRIVATE_MESSAGE, private.group_id, private.epoch, private.content_type),
                authenticated_data=private.authenticated_data,
            )
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


@dataclass(frozen=True, slots=True)
class WelcomeParts:
    """A Welcome in parts, so that it is stored once and each joiner is sent what is its own.

    ``entries`` are the encrypted GroupSecrets (section 12.4.3.1) by the KeyPackageRefs that they are for.
    """

    cipher_suite: int
    entries: dict[bytes, bytes]
    encrypted_group_info: bytes


def welcome_parts(welcome: bytes) -> WelcomeParts:
    """The parts of a Welcome. Raises InvalidWelcome, also if two entries are for one KeyPackage, or DecodeError."""
    message = decode_message(welcome)
    if not isinstance(message, Welcome):
        raise InvalidWelcome("not a Welcome")
    entries = {entry.new_member: entry.encode() for entry in message.secrets}
    if len(entries) < len(message.secrets):
        raise InvalidWelcome("two entries of the Welcome are for one KeyPackage")
    return WelcomeParts(message.cipher_suite, entries, message.encrypted_group_info)


def welcome_for(cipher_suite: int, entry: bytes, encrypted_group_info: bytes) -> bytes:
    """The Welcome with one of the entries of :func:`welcome_parts`, as an MLSMessage. Raises DecodeError."""
    secrets = decode_exactly(entry, EncryptedGroupSecrets.decode)
    return encode_message(Welcome(cipher_suite, (secrets,), encrypted_group_info))


def presented_credentials(message: bytes) -> tuple[Credential, ...]:
    """The credentials of the leaves that a PublicMessage with a proposal or commit brings into a group, in its own
    proposals and its path: those that an authentication service will be asked about. Nothing of it is verified. Raises
    InvalidMessage for another message, or DecodeError."""
    decoded = decode_message(message)
    if not isinstance(decoded, PublicMessage) or isinstance(decoded.content.framed.content, bytes):
        raise InvalidMessage("not a proposal or commit in the clear")
    return _credentials(decoded.content.framed.content)


def proposed_credentials(parts: Parts) -> tuple[Credential, ...]:
    """Those that the pending proposals of a stored PublicGroup bring, for a commit may refer to them; DecodeError."""
    return tuple(credential for content in pending_proposals(parts) for credential in _credentials(content))


def _credentials(content: Proposal | Commit) -> tuple[Credential, ...]:
    found: list[Credential] = []
    proposals = content.proposals if isinstance(content, Commit) else (content,)
    for proposal in proposals:
        match proposal:
            case Add(key_package):
                found.append(key_package.leaf_node.credential)
            case Update(leaf_node):
                found.append(leaf_node.credential)
    if isinstance(content, Commit) and content.path is not None:
        found.append(content.path.leaf_node.credential)
    return tuple(found)


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
