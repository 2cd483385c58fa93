"""What a group tells its owner."""

from dataclasses import dataclass

from crypto.mls.credentials import Credential
from crypto.mls.framing import Sender
from crypto.mls.leaf_node import LeafNode
from crypto.mls.proposal_list import Applied
from crypto.mls.proposals import Proposal, ReInit


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group. ``leaf_index`` names it in proposals and messages."""

    leaf_index: int
    credential: Credential
    signature_key: bytes
    leaf_node: LeafNode


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A valid proposal that waits for a commit; ``reference`` is its ProposalRef."""

    sender: Sender
    proposal: Proposal
    reference: bytes


@dataclass(frozen=True, slots=True)
class CommitApplied:
    """The group is in a new epoch, or this client is out of it (``self_removed``).

    Leaf numbers of ``added``, ``updated`` and ``removed`` members; ``committer`` is a new member after an external
    commit. ``reinit`` is set if the group is closed and waits to be created anew.
    """

    epoch: int
    committer: int
    added: tuple[int, ...]
    updated: tuple[int, ...]
    removed: tuple[int, ...]
    self_removed: bool
    reinit: ReInit | None

    @classmethod
    def of(
        cls, epoch: int, committer: int, applied: Applied, reinit: ReInit | None, *, self_removed: bool = False
    ) -> "CommitApplied":
        added = tuple(number for number, _ in applied.added)
        return cls(epoch, committer, added, applied.updated, applied.removed, self_removed, reinit)


@dataclass(frozen=True, slots=True)
class ApplicationMessage:
    """A decrypted message. ``sender`` is the leaf number in ``epoch``; ``data`` is not shown in repr."""

    data: bytes
    sender: int
    epoch: int
    generation: int
    authenticated_data: bytes

    def __repr__(self) -> str:
        return (
            f"ApplicationMessage({len(self.data)} bytes, sender={self.sender}, epoch={self.epoch}, "
            f"generation={self.generation})"
        )
