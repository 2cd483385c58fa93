"""Proposing changes to a group (RFC 9420 section 12.1)."""

from collections.abc import Iterable

from crypto.mls.authorization import Roster, actor_of
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import CipherSuite
from crypto.mls.commit_creation import protect
from crypto.mls.commit_processing import OwnUpdate
from crypto.mls.credentials import Credential
from crypto.mls.errors import (
    InvalidInput,
    UnknownProposal,
)
from crypto.mls.extensions import Extension
from crypto.mls.framing import AuthenticatedContent, Content, FramedContent, Sender, SenderType, WireFormat
from crypto.mls.group_state import PendingProposal
from crypto.mls.group_view import GroupView
from crypto.mls.key_package import KeyPackage, SignatureKeyPair
from crypto.mls.leaf_node import LeafNode, LeafNodeSource
from crypto.mls.messages import encode_message
from crypto.mls.proposal_list import Sourced, check_proposal
from crypto.mls.proposals import (
    Add,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from crypto.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage
from crypto.mls.signatures import SigningKey


class ProposingGroup(GroupView):
    """A group in which this member can propose. Each ``propose_`` method returns the message to send."""

    __slots__ = ()

    def propose_add(
        self, key_package: KeyPackage, *, now: int, wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE
    ) -> bytes:
        """Propose to add a client (section 12.1.1)."""
        return self._propose(Add(key_package), wire_format, now=now)

    def propose_update(
        self,
        *,
        now: int,
        credential: Credential | None = None,
        signer: SignatureKeyPair | None = None,
        capabilities: Capabilities | None = None,
        leaf_extensions: Iterable[Extension] | None = None,
        wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE,
    ) -> bytes:
        """Propose fresh keys for this member, and whatever else is given (section 12.1.2)."""
        self._require_active()
        epoch = self._state.epoch
        old, key = epoch.own_leaf, self._own_signer(signer)
        private_key, encryption_key = epoch.crypto.kem.generate_key_pair(self._randomness)
        leaf = LeafNode(
            encryption_key,
            key.public_key,
            credential or old.credential,
            capabilities or old.capabilities,
            LeafNodeSource.UPDATE,
            None,
            None,
            old.extensions if leaf_extensions is None else tuple(leaf_extensions),
            b"",
        ).signed(epoch.crypto, key, self.group_id, self.own_leaf)
        return self._propose(Update(leaf), wire_format, now=now, own_update=OwnUpdate(private_key, key))

    def propose_remove(self, leaf_index: int, *, wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE) -> bytes:
        """Propose to remove a member (section 12.1.3); its own leaf to leave the group."""
        return self._propose(Remove(leaf_index), wire_format)

    def propose_psk(self, psk_id: bytes, *, wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE) -> bytes:
        """Propose to inject an external PSK (section 12.1.4)."""
        return self._propose(self.psk(psk_id), wire_format)

    def propose_resumption_psk(
        self, group_id: bytes, epoch: int, *, wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE
    ) -> bytes:
        """Propose to inject the resumption PSK of some group's epoch (section 12.1.4)."""
        return self._propose(self.resumption(group_id, epoch), wire_format)

    def propose_reinit(
        self,
        group_id: bytes,
        suite: CipherSuite,
        extensions: Iterable[Extension] = (),
        *,
        wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE,
    ) -> bytes:
        """Propose to close this group and start over with these parameters (section 12.1.5)."""
        return self._propose(ReInit.of(group_id, suite, tuple(extensions)), wire_format)

    def propose_group_context_extensions(
        self, extensions: Iterable[Extension], *, wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE
    ) -> bytes:
        """Propose to replace all of the group's extensions (section 12.1.7)."""
        return self._propose(GroupContextExtensions(tuple(extensions)), wire_format)

    def psk(self, psk_id: bytes) -> PreSharedKey:
        """A proposal by value that injects an external PSK."""
        return PreSharedKey(ExternalPskId(psk_id, self._nonce()))

    def resumption(self, group_id: bytes, epoch: int) -> PreSharedKey:
        """A proposal by value that injects a resumption PSK."""
        return PreSharedKey(ResumptionPskId(ResumptionUsage.APPLICATION, group_id, epoch, self._nonce()))

    def _propose(
        self,
        proposal: Proposal,
        wire_format: WireFormat,
        *,
        now: int | None = None,
        own_update: OwnUpdate | None = None,
    ) -> bytes:
        self._require_active()
        epoch = self._state.epoch
        sender = Sender.member(self.own_leaf)
        rules = epoch.leaf_rules(self._policy, now, self.extensions)
        check_proposal(Sourced(proposal, sender), epoch.tree, rules)
        self._authorize(proposal, sender)
        content = self._sign(proposal, wire_format, b"")
        message = encode_message(protect(epoch, content, self._randomness))
        reference = content.proposal_reference(epoch.crypto)
        self._state = self._state.with_proposal(reference, PendingProposal(content, own_update))
        return message

    def drop_proposal(self, reference: bytes) -> None:
        """Forget a pending proposal. A commit that refers to it cannot be followed any more: all members have to drop
        the same ones, so this is for proposals that no honest member will commit. Raises UnknownProposal."""
        if reference not in self._state.proposals:
            raise UnknownProposal("no such proposal is pending")
        self._state = self._state.without_proposal(reference)

    def _authorize(self, proposal: Proposal, sender: Sender) -> None:
        """Raise NotAuthorized if a member proposes what it may not do. Who commits others' proposals decides later."""
        epoch = self._state.epoch
        if sender.sender_type == SenderType.MEMBER:
            actor = actor_of(sender, epoch.tree, epoch.own_leaf.credential)
            self._policy.authorization.check(proposal, actor, Roster(epoch.context.extensions, epoch.tree))

    def _nonce(self) -> bytes:
        return self._randomness.random_bytes(self._state.epoch.crypto.hash_size)

    def _own_signer(self, signer: SignatureKeyPair | None) -> SigningKey:
        if signer is None:
            return self._state.epoch.own.signer
        if signer.suite != self.suite:
            raise InvalidInput("the signature key is for another cipher suite")
        return signer.key

    def _sign(self, content: Content, wire_format: WireFormat, authenticated_data: bytes) -> AuthenticatedContent:
        epoch = self._state.epoch
        framed = FramedContent(self.group_id, self.epoch, Sender.member(self.own_leaf), authenticated_data, content)
        return AuthenticatedContent.sign(epoch.crypto, wire_format, framed, epoch.context, epoch.own.signer)
