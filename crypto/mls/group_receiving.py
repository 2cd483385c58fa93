"""Receiving and sending in a group (RFC 9420 sections 6, 12.4 and 15)."""

from crypto.mls.commit_creation import protect
from crypto.mls.commit_processing import OwnUpdate, process_commit
from crypto.mls.commit_validation import validate_commit
from crypto.mls.errors import (
    InvalidMessage,
    InvalidProposal,
    OwnCommit,
    ProposalsPending,
    UnknownProposal,
)
from crypto.mls.framing import Sender, SenderType, WireFormat
from crypto.mls.group_proposing import ProposingGroup
from crypto.mls.group_state import PendingProposal
from crypto.mls.messages import encode_message
from crypto.mls.proposal_list import ProposalList, Sourced, check_proposal
from crypto.mls.proposals import Commit, ExternalInit, Proposal
from crypto.mls.psk import Psks
from crypto.mls.receiving import Received, receive
from crypto.mls.results import ApplicationMessage, ProposalReceived
from crypto.mls.staged_commit import StagedCommit

_NO_PSKS = Psks()


class ReceivingGroup(ProposingGroup):
    """A group whose messages this member reads, and to which it writes."""

    __slots__ = ()

    def process(
        self, message: bytes, *, now: int, psks: Psks = _NO_PSKS
    ) -> ProposalReceived | StagedCommit | ApplicationMessage:
        """Take in any message to the group: remember a proposal, verify a commit, decrypt application data.

        A commit takes effect with ``Group.apply``. Raises OwnCommit, OwnMessage and PastEpoch for what a delivery
        service repeats; NotAuthorized if the policy does not let its sender do this.
        """
        received = receive(self._state, message)
        content = received.content.framed.content
        if isinstance(content, bytes):
            return self._deliver(received, content)
        if isinstance(content, Commit):
            return self._stage(received, content, now, psks)
        return self._remember(received, content, now)

    def decrypt(self, message: bytes) -> ApplicationMessage:
        """Decrypt application data; any other message is refused with InvalidMessage."""
        received = receive(self._state, message)
        content = received.content.framed.content
        if not isinstance(content, bytes):
            raise InvalidMessage("not an application message")
        return self._deliver(received, content)

    def encrypt(self, plaintext: bytes, authenticated_data: bytes = b"", padding: int = 0) -> bytes:
        """Encrypt for the group (section 6.3), with ``padding`` bytes to hide the length.

        Raises ProposalsPending while proposals wait for a commit (section 12.4): somebody may be about to be removed.
        """
        self._require_active()
        if self._state.proposals:
            raise ProposalsPending("commit the pending proposals first")
        content = self._sign(plaintext, WireFormat.PRIVATE_MESSAGE, authenticated_data)
        return encode_message(protect(self._state.epoch, content, self._randomness, padding))

    def _deliver(self, received: Received, data: bytes) -> ApplicationMessage:
        framed, lookup = received.content.framed, received.lookup
        assert framed.sender.index is not None  # application data comes from members
        assert lookup is not None  # and encrypted
        received.consume()
        return ApplicationMessage(data, framed.sender.index, framed.epoch, lookup.generation, framed.authenticated_data)

    def _remember(self, received: Received, proposal: Proposal, now: int) -> ProposalReceived:
        epoch, content = self._state.epoch, received.content
        if isinstance(proposal, ExternalInit):
            raise InvalidProposal("an external init belongs into an external commit")
        if content.framed.sender.sender_type == SenderType.NEW_MEMBER_PROPOSAL and not self._policy.allow_join_requests:
            raise InvalidProposal("requests to join are not allowed")
        reference = content.proposal_reference(epoch.crypto)
        if len(self._state.proposals) >= self._policy.max_proposals:
            raise InvalidProposal("too many proposals wait for a commit")
        if reference not in self._state.proposals:  # an own proposal may come back from the server
            rules = epoch.leaf_rules(self._policy, self._received_now(now), self.extensions)
            check_proposal(Sourced(proposal, content.framed.sender), epoch.tree, rules)
            self._authorize(proposal, content.framed.sender)
            self._state = self._state.with_proposal(reference, PendingProposal(content))
        received.consume()
        return ProposalReceived(content.framed.sender, proposal, reference)

    def _stage(self, received: Received, commit: Commit, now: int, psks: Psks) -> StagedCommit:
        sender, epoch = received.content.framed.sender, self._state.epoch
        if sender == Sender.member(self.own_leaf):
            raise OwnCommit("this member's own commit: apply its bundle instead")
        items, own_update = self._resolve(commit, sender)
        valid = validate_commit(
            epoch, received.content, ProposalList(tuple(items)), self._policy, self._received_now(now)
        )
        psks = psks.with_resumption(self._state.resumption_psks())
        following = process_commit(epoch, valid, own_update, psks, self._policy)
        return StagedCommit.of(epoch, valid, following, received)

    def _resolve(self, commit: Commit, sender: Sender) -> tuple[list[Sourced], OwnUpdate | None]:
        items, own_update = [], None
        for entry in commit.proposals:
            if isinstance(entry, bytes):
                pending = self._state.proposals.get(entry)
                if pending is None:
                    raise UnknownProposal("the commit refers to a proposal that was not received")
                items.append(pending.sourced)
                own_update = own_update or pending.own_update
            else:
                items.append(Sourced(entry, sender))
        return items, own_update

    def _received_now(self, now: int) -> int | None:
        return now if self._policy.check_received_lifetimes else None
