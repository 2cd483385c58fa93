"""A commit of somebody else between its verification and its application."""

from dataclasses import dataclass

from crypto.mls.commit_validation import ValidCommit
from crypto.mls.epoch import Epoch, PublicEpoch
from crypto.mls.framing import SenderType
from crypto.mls.proposals import ReInit
from crypto.mls.receiving import Received
from crypto.mls.results import CommitApplied, CommitEffect


@dataclass(frozen=True, slots=True, repr=False)
class StagedCommit:
    """A commit that was verified in full and has changed nothing yet: apply it, or leave it.

    ``effect`` says what it does. ``following`` is the epoch that it initiates, None if it removes this member;
    ``based_on`` the confirmation tag of the epoch that it was made in. It is not stored: process the commit again
    after a restart.
    """

    effect: CommitEffect
    based_on: bytes
    following: Epoch | None
    received: Received
    summary: CommitApplied

    def __repr__(self) -> str:
        return f"StagedCommit(to epoch {self.effect.epoch})"

    @property
    def self_removed(self) -> bool:
        """Whether the commit removes this member."""
        return self.following is None

    @classmethod
    def of(cls, before: Epoch, valid: ValidCommit, following: Epoch | None, received: Received) -> "StagedCommit":
        effect = effect_of(before, valid)
        reinit = valid.proposals.first(ReInit)
        summary = CommitApplied.of(effect.epoch, valid.committer, valid.applied, reinit, self_removed=following is None)
        return cls(effect, before.confirmation_tag, following, received, summary)


def effect_of(before: PublicEpoch, valid: ValidCommit) -> CommitEffect:
    """What a valid commit does to the group in epoch ``before``."""
    return CommitEffect.of(
        before.context.epoch + 1,
        valid.committer,
        valid.proposals,
        valid.actors,
        valid.applied,
        before.tree,
        external=valid.content.framed.sender.sender_type == SenderType.NEW_MEMBER_COMMIT,
    )
