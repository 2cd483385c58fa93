"""What a group tells its owner."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.mls.credentials import Credential
from crypto.mls.extensions import Extensions
from crypto.mls.framing import Sender
from crypto.mls.leaf_node import LeafNode
from crypto.mls.proposal_list import Applied, ProposalList
from crypto.mls.proposals import Add, Proposal, ReInit, Remove, Update
from crypto.mls.psk import PskId
from crypto.mls.ratchet_tree import RatchetTree


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group. ``leaf_index`` names it in proposals and messages."""

    leaf_index: int
    credential: Credential
    signature_key: bytes
    leaf_node: LeafNode

    @classmethod
    def at(cls, tree: RatchetTree, number: int) -> "Member":
        """The member at leaf ``number``, which is not blank."""
        leaf = tree.leaf(number)
        assert leaf is not None
        return cls(number, leaf.credential, leaf.signature_key, leaf)


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A valid proposal that waits for a commit; ``reference`` is its ProposalRef."""

    sender: Sender
    proposal: Proposal
    reference: bytes


@dataclass(frozen=True, slots=True)
class MemberChange:
    """One member that a commit adds, removes or gives new keys.

    ``before`` is None for a new member, ``after`` for one that is gone. ``by`` is the credential of who answers for
    it: the member that proposed it, or the committer.
    """

    before: Member | None
    after: Member | None
    by: Credential


@dataclass(frozen=True, slots=True)
class CommitEffect:
    """What a commit does to the group, in full.

    ``committer`` is the member as it is after the commit, ``external`` whether it came in by this very commit.
    ``extensions`` are the group's after the commit, ``reinit`` is set if it closes the group.
    """

    epoch: int
    committer: Member
    external: bool
    added: tuple[MemberChange, ...]
    removed: tuple[MemberChange, ...]
    updated: tuple[MemberChange, ...]
    psk_ids: tuple[PskId, ...]
    extensions: Extensions
    reinit: ReInit | None

    @classmethod
    def of(
        cls,
        epoch: int,
        committer: int,
        proposals: ProposalList,
        actors: Sequence[Credential],
        applied: Applied,
        before: RatchetTree,
        *,
        external: bool,
    ) -> "CommitEffect":
        """From a valid commit; ``before`` is the tree that it changes, ``actors`` whose its proposals are."""
        by = {id(item): actor for item, actor in zip(proposals.items, actors, strict=True)}
        old, new = before, applied.tree
        member = Member.at(new, committer)
        joined = (by[id(item)] for _, item in proposals.of_type(Add))
        added = [
            MemberChange(None, Member.at(new, number), actor)
            for (number, _), actor in zip(applied.added, joined, strict=True)
        ]
        removed = [
            MemberChange(Member.at(old, remove.removed), None, by[id(item)])
            for remove, item in proposals.of_type(Remove)
        ]
        updated = [
            MemberChange(Member.at(old, item.sender.index), Member.at(new, item.sender.index), by[id(item)])
            for _, item in proposals.of_type(Update)
            if item.sender.index is not None
        ]
        if external:
            added.append(MemberChange(None, member, member.credential))
        elif new.leaf(committer) is not old.leaf(committer):
            updated.append(MemberChange(Member.at(old, committer), member, member.credential))
        return cls(
            epoch,
            member,
            external,
            tuple(added),
            tuple(removed),
            tuple(updated),
            proposals.psk_ids,
            applied.extensions,
            proposals.first(ReInit),
        )


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
