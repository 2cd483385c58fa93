"""From bytes to authenticated content: decryption, membership and signatures (RFC 9420 sections 6 and 6.1)."""

from contextlib import suppress
from dataclasses import dataclass

from crypto.mls.epoch import PublicEpoch
from crypto.mls.errors import (
    FutureEpoch,
    GroupInactive,
    InvalidCommit,
    InvalidMessage,
    InvalidProposal,
    KeyUnavailable,
    OwnCommit,
    OwnMessage,
    PastEpoch,
    WrongGroup,
)
from crypto.mls.extensions import external_senders
from crypto.mls.framing import AuthenticatedContent, ContentType, FramedContent, SenderType
from crypto.mls.group_state import GroupState
from crypto.mls.messages import decode_message
from crypto.mls.private_message import PrivateMessage, SenderData, open_sender_data, ratchet_kind, unprotect_private
from crypto.mls.proposal_list import EXTERNAL_SENDER_TYPES
from crypto.mls.proposals import Add, Commit
from crypto.mls.public_message import PublicMessage, unprotect_public
from crypto.mls.secret_tree import Lookup, SecretTree


@dataclass(frozen=True, slots=True, repr=False)
class Received:
    """Authenticated content; :meth:`consume` once it has been accepted, so that its key is gone."""

    content: AuthenticatedContent
    secret_tree: SecretTree | None = None
    lookup: Lookup | None = None

    def consume(self) -> None:
        if self.secret_tree is not None and self.lookup is not None:
            self.secret_tree.consume(self.lookup)

    def consume_later(self) -> None:
        """The same, if other messages of the sender may have been accepted since this one was received."""
        tree, lookup = self.secret_tree, self.lookup
        if tree is not None and lookup is not None:
            with suppress(KeyUnavailable):  # this very message was accepted in between
                tree.consume(tree.look_up(lookup.leaf, lookup.kind, lookup.generation))


def receive(state: GroupState, data: bytes) -> Received:
    """Authenticate a message to the group. Changes nothing."""
    message = decode_message(data)
    if isinstance(message, PublicMessage):
        return _receive_public(state, message)
    if isinstance(message, PrivateMessage):
        return _receive_private(state, message)
    raise InvalidMessage("not a message to a group")


def _receive_public(state: GroupState, message: PublicMessage) -> Received:
    epoch, framed = state.epoch, message.content.framed
    _check_place(state, framed.group_id, framed.epoch)
    content = unprotect_public(epoch.crypto, message, epoch.context, epoch.secrets.membership_key)
    content.verify(epoch.crypto, epoch.context, signature_key(epoch, framed))
    return Received(content)


def _receive_private(state: GroupState, message: PrivateMessage) -> Received:
    epoch = state.epoch
    if message.content_type == ContentType.APPLICATION and message.epoch < epoch.context.epoch:
        return _receive_late(state, message)
    _check_place(state, message.group_id, message.epoch)
    sender = open_sender_data(epoch.crypto, message, epoch.secrets.sender_data)
    _check_not_own(state, message, epoch.secret_tree, sender)
    content, lookup = unprotect_private(epoch.crypto, message, epoch.secret_tree, sender)
    content.verify(epoch.crypto, epoch.context, signature_key(epoch, content.framed))
    return Received(content, epoch.secret_tree, lookup)


def _receive_late(state: GroupState, message: PrivateMessage) -> Received:
    if message.group_id != state.epoch.context.group_id:
        raise WrongGroup("the message belongs to another group")
    past = next((past for past in state.past if past.context.epoch == message.epoch), None)
    if past is None:
        raise PastEpoch("the keys of the message's epoch are gone")
    crypto = state.epoch.crypto
    sender = open_sender_data(crypto, message, past.sender_data_secret)
    _check_not_own(state, message, past.secret_tree, sender)
    content, lookup = unprotect_private(crypto, message, past.secret_tree, sender)
    key = past.signature_keys[lookup.leaf] if lookup.leaf < len(past.signature_keys) else None
    if key is None:
        raise InvalidMessage("the sender was no member")
    content.verify(crypto, past.context, key)
    return Received(content, past.secret_tree, lookup)


def _check_place(state: GroupState, group_id: bytes, epoch: int) -> None:
    if group_id != state.epoch.context.group_id:
        raise WrongGroup("the message belongs to another group")
    if not state.active:
        raise GroupInactive("this member was removed from the group")
    if state.reinit is not None:  # section 11.2: the epoch of the ReInit is the last one
        raise GroupInactive("the group was closed by a re-initialisation")
    check_epoch(state.epoch, epoch)


def check_epoch(epoch: PublicEpoch, number: int) -> None:
    """Raise PastEpoch or FutureEpoch unless ``number`` is the one of ``epoch``."""
    if number < epoch.context.epoch:
        raise PastEpoch("the message belongs to an epoch that is over")
    if number > epoch.context.epoch:
        raise FutureEpoch("the message belongs to an epoch that has not begun")


def _check_not_own(state: GroupState, message: PrivateMessage, secret_tree: SecretTree, sender: SenderData) -> None:
    own, kind = state.epoch.own.leaf, ratchet_kind(message.content_type)
    if sender.leaf == own and sender.generation < secret_tree.next_generation(own, kind):
        if message.content_type == ContentType.COMMIT:
            raise OwnCommit("this member's own commit: apply its bundle instead")
        raise OwnMessage("this member encrypted the message itself")


def signature_key(epoch: PublicEpoch, framed: FramedContent) -> bytes:
    """The key that must have signed, and the rules about who may send what (section 6.1)."""
    content, index = framed.content, framed.sender.index
    match framed.sender.sender_type:
        case SenderType.MEMBER:
            leaf = None if index is None else epoch.tree.leaf(index)
            if leaf is None:
                raise InvalidMessage("the sender is no member")
            return leaf.signature_key
        case SenderType.EXTERNAL:
            senders = external_senders(epoch.context.extensions)
            if index is None or index >= len(senders):
                raise InvalidMessage("the group has no such external sender")
            if isinstance(content, bytes | Commit) or content.proposal_type not in EXTERNAL_SENDER_TYPES:
                raise InvalidProposal("an external sender may not send this")
            return senders[index].signature_key
        case SenderType.NEW_MEMBER_PROPOSAL:
            if not isinstance(content, Add):
                raise InvalidProposal("a new member may propose nothing but to be added")
            return content.key_package.leaf_node.signature_key
        case SenderType.NEW_MEMBER_COMMIT:
            if not isinstance(content, Commit) or content.path is None:
                raise InvalidCommit("an external commit must have a path")
            return content.path.leaf_node.signature_key
