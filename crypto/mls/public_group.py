"""A group as its delivery service sees it: everything that is public, followed and checked without any secret.

What members send to the group in the open (PublicMessages) suffices to know the tree, the context and the transcript
of every epoch, and to refuse commits that honest members would refuse. Two things only members can check: the
membership tag, which proves that a message comes from a member, and the confirmation tag, which proves that a commit
leads where it says. The members stay the authority.
"""

from dataclasses import dataclass, replace

from crypto.mls.authorization import Roster, actor_of
from crypto.mls.cipher_suite import CipherSuite, suite_crypto
from crypto.mls.commit_validation import validate_commit
from crypto.mls.epoch import PublicEpoch
from crypto.mls.errors import (
    GroupInactive,
    InvalidInput,
    InvalidMessage,
    InvalidProposal,
    InvalidWelcome,
    UnknownProposal,
    WrongGroup,
)
from crypto.mls.extensions import Extensions, external_pub
from crypto.mls.framing import AuthenticatedContent, FramedContent, SenderType
from crypto.mls.inspection import welcome_recipients
from crypto.mls.joining import verified_tree
from crypto.mls.messages import decode_message
from crypto.mls.parts import Changes, Parts
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposal_list import ProposalList, Sourced, check_proposal
from crypto.mls.proposals import Commit, ExternalInit, Proposal, ReInit
from crypto.mls.public_message import PublicMessage
from crypto.mls.public_state import PublicState, public_changes, public_state_from
from crypto.mls.receiving import check_epoch, signature_key
from crypto.mls.results import CommitEffect, Member, ProposalReceived
from crypto.mls.staged_commit import effect_of
from crypto.mls.transcript import interim_transcript_hash
from crypto.mls.welcome import GroupInfo


@dataclass(frozen=True, slots=True, repr=False)
class PublicCommit:
    """A commit whose public part is valid, and the epoch that it initiates. Nothing has changed yet.

    ``new_members`` are the references of the KeyPackages that it adds: its Welcome has to be for exactly these.
    """

    effect: CommitEffect
    based_on: bytes
    following: PublicEpoch
    new_members: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"PublicCommit(to epoch {self.effect.epoch})"

    def check_welcome(self, welcome: bytes) -> None:
        """Raise InvalidWelcome unless ``welcome`` is for all whom the commit adds, and for nobody else."""
        if sorted(welcome_recipients(welcome)) != sorted(self.new_members):
            raise InvalidWelcome("the Welcome is not for those whom the commit adds")

    def check_group_info(self, group_info: bytes) -> None:
        """Raise unless ``group_info`` is one of the epoch that the commit initiates, see PublicGroup."""
        _check_group_info(self.following, group_info)


class PublicGroup:
    """Follows one group. Made by :meth:`follow` or :meth:`restore`."""

    __slots__ = ("_policy", "_state", "_stored")

    def __init__(self, state: PublicState, policy: GroupPolicy, stored: PublicState | None = None) -> None:
        self._state = state
        self._policy = policy
        self._stored = stored

    def __repr__(self) -> str:
        return f"PublicGroup(id={self.group_id.hex()}, epoch={self.epoch})"

    @classmethod
    def follow(
        cls, group_info: bytes, *, now: int, policy: GroupPolicy, ratchet_tree: bytes | None = None
    ) -> "PublicGroup":
        """Start with a GroupInfo, and the tree if it is not in there; everything about both is verified.

        ``policy`` decides as it does for members: whose credentials are believed, who may change what, how wide the
        tree may be. Its limits on messages do not matter here.
        """
        info = decode_message(group_info)
        if not isinstance(info, GroupInfo):
            raise InvalidInput("not a GroupInfo")
        context = info.group_context
        crypto = suite_crypto(context.cipher_suite)
        tree = verified_tree(crypto, info, ratchet_tree, policy, now)
        interim = interim_transcript_hash(crypto, context.confirmed_transcript_hash, info.confirmation_tag)
        return cls(PublicState(PublicEpoch(crypto, context, tree, interim, info.confirmation_tag)), policy)

    # Reading

    @property
    def group_id(self) -> bytes:
        return self._state.epoch.context.group_id

    @property
    def epoch(self) -> int:
        return self._state.epoch.context.epoch

    @property
    def suite(self) -> CipherSuite:
        return self._state.epoch.context.cipher_suite

    @property
    def extensions(self) -> Extensions:
        return self._state.epoch.context.extensions

    @property
    def confirmed_transcript_hash(self) -> bytes:
        return self._state.epoch.context.confirmed_transcript_hash

    @property
    def tree_hash(self) -> bytes:
        return self._state.epoch.context.tree_hash

    @property
    def members(self) -> tuple[Member, ...]:
        tree = self._state.epoch.tree
        return tuple(Member.at(tree, number) for number, _ in tree.leaves())

    @property
    def reinit(self) -> ReInit | None:
        """The parameters of the group to come, if this one was closed."""
        return self._state.reinit

    @property
    def pending_proposals(self) -> tuple[ProposalReceived, ...]:
        return tuple(
            ProposalReceived(content.framed.sender, _proposal(content.framed), reference)
            for reference, content in self._state.proposals.items()
        )

    def ratchet_tree(self) -> bytes:
        """The tree, for joiners."""
        return self._state.epoch.tree.encode()

    def check_group_info(self, group_info: bytes) -> None:
        """Raise unless ``group_info`` is one of the current epoch, signed by a member, that joiners can use."""
        _check_group_info(self._state.epoch, group_info)

    # Following

    def process(self, message: bytes, *, now: int) -> ProposalReceived | PublicCommit:
        """Check a PublicMessage: remember a proposal, or show what a commit does. It takes effect with :meth:`apply`.

        Raises PastEpoch for what came too late, and else what a member would raise.
        """
        public = decode_message(message)
        if not isinstance(public, PublicMessage):
            raise InvalidMessage("only PublicMessages can be followed")
        content, epoch = public.content, self._state.epoch
        framed = content.framed
        if framed.group_id != self.group_id:
            raise WrongGroup("the message belongs to another group")
        if self._state.reinit is not None:
            raise GroupInactive("the group was closed by a re-initialisation")
        check_epoch(epoch, framed.epoch)
        if isinstance(framed.content, bytes):
            raise InvalidMessage("application data is never sent in the clear")
        if public.membership_tag is not None and len(public.membership_tag) != epoch.crypto.hash_size:
            raise InvalidMessage("the membership tag has the wrong length")
        content.verify(epoch.crypto, epoch.context, signature_key(epoch, framed))
        received_now = now if self._policy.check_received_lifetimes else None
        if isinstance(framed.content, Commit):
            return self._check_commit(content, framed.content, received_now)
        return self._remember(content, framed.content, received_now)

    def apply(self, commit: PublicCommit) -> CommitEffect:
        """Enter the epoch of a commit that was accepted."""
        if commit.based_on != self._state.epoch.confirmation_tag or self._state.reinit is not None:
            raise InvalidInput("the commit was checked in another epoch")
        self._state = PublicState(commit.following, {}, commit.effect.reinit)
        return commit.effect

    def drop_proposal(self, reference: bytes) -> None:
        """Forget a pending proposal. Raises UnknownProposal."""
        if reference not in self._state.proposals:
            raise UnknownProposal("no such proposal is pending")
        rest = {known: content for known, content in self._state.proposals.items() if known != reference}
        self._state = replace(self._state, proposals=rest)

    def _remember(self, content: AuthenticatedContent, proposal: Proposal, now: int | None) -> ProposalReceived:
        epoch, sender, proposals = self._state.epoch, content.framed.sender, self._state.proposals
        if isinstance(proposal, ExternalInit):
            raise InvalidProposal("an external init belongs into an external commit")
        if sender.sender_type == SenderType.NEW_MEMBER_PROPOSAL and not self._policy.allow_join_requests:
            raise InvalidProposal("requests to join are not allowed")
        if len(proposals) >= self._policy.max_proposals:
            raise InvalidProposal("too many proposals wait for a commit")
        rules = epoch.leaf_rules(self._policy, now, epoch.context.extensions)
        check_proposal(Sourced(proposal, sender), epoch.tree, rules)
        leaf = epoch.tree.leaf(sender.index) if sender.index is not None else None
        if sender.sender_type == SenderType.MEMBER and leaf is not None:
            roster = Roster(epoch.context.extensions, epoch.tree)
            self._policy.authorization.check(proposal, actor_of(sender, epoch.tree, leaf.credential), roster)
        reference = content.proposal_reference(epoch.crypto)
        self._state = replace(self._state, proposals={**proposals, reference: content})
        return ProposalReceived(sender, proposal, reference)

    def _check_commit(self, content: AuthenticatedContent, commit: Commit, now: int | None) -> PublicCommit:
        epoch, items = self._state.epoch, []
        for entry in commit.proposals:
            if isinstance(entry, bytes):
                pending = self._state.proposals.get(entry)
                if pending is None:
                    raise UnknownProposal("the commit refers to a proposal that was not received")
                items.append(Sourced(_proposal(pending.framed), pending.framed.sender, verified=True))
            else:
                items.append(Sourced(entry, content.framed.sender))
        valid = validate_commit(epoch, content, ProposalList(tuple(items)), self._policy, now)
        context = valid.transition.context_after(content)
        following = epoch.following(context, valid.applied.tree, valid.confirmation_tag)
        new_members = tuple(package.reference() for _, package in valid.applied.added)
        return PublicCommit(effect_of(epoch, valid), epoch.confirmation_tag, following, new_members)

    # Storing

    def changes(self) -> Changes:
        """What has to be written since the last call, or since the group was restored; at first everything.

        Store it before what caused it is acknowledged. If that fails, go back to the stored state with
        :meth:`restore`.
        """
        changes = public_changes(self._stored, self._state)
        self._stored = self._state
        return changes

    @classmethod
    def restore(cls, parts: Parts, policy: GroupPolicy) -> "PublicGroup":
        """From all parts that were written and not deleted. Raises DecodeError or UnsupportedStateVersion."""
        state = public_state_from(parts)
        return cls(state, policy, state)


def _proposal(framed: FramedContent) -> Proposal:
    if isinstance(framed.content, bytes | Commit):
        raise TypeError("only proposals are kept")
    return framed.content


def _check_group_info(epoch: PublicEpoch, group_info: bytes) -> None:
    info = decode_message(group_info)
    if not isinstance(info, GroupInfo):
        raise InvalidWelcome("not a GroupInfo")
    if info.group_context != epoch.context or info.confirmation_tag != epoch.confirmation_tag:
        raise InvalidWelcome("the GroupInfo is not one of this epoch")
    signer = epoch.tree.leaf(info.signer)
    if signer is None:
        raise InvalidWelcome("the GroupInfo is signed by a leaf that is blank")
    info.verify(epoch.crypto, signer.signature_key)
    key = external_pub(info.extensions)
    if key is not None:
        try:
            epoch.crypto.kem.check_public_key(key)
        except InvalidInput:
            raise InvalidWelcome("the external key in the GroupInfo is invalid") from None
