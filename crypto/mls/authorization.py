"""Who may change a group: the hook that the RFC leaves to the application (RFC 9420 section 6.4 speaks of policy).

It is asked about every single change, by whoever makes a commit, by everybody who receives it, and by the delivery
service that follows the group. All must come to the same answer, so it may depend on nothing but its arguments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from crypto.mls.credentials import Credential
from crypto.mls.errors import InvalidCommit
from crypto.mls.extensions import Extensions
from crypto.mls.framing import Sender, SenderType
from crypto.mls.proposals import Proposal
from crypto.mls.ratchet_tree import RatchetTree


@dataclass(frozen=True, slots=True)
class Roster:
    """The group as it is before the change."""

    extensions: Extensions
    tree: RatchetTree

    def credential(self, leaf: int) -> Credential | None:
        """The credential of the member with this leaf number."""
        node = self.tree.leaf(leaf)
        return None if node is None else node.credential

    def credentials(self) -> Iterator[Credential]:
        """Those of all members."""
        return (leaf.credential for _, leaf in self.tree.leaves())


class Authorization(Protocol):
    """The application's rules about who may do what."""

    def check(self, proposal: Proposal, actor: Credential, roster: Roster) -> None:
        """Raise NotAuthorized unless whoever presents ``actor`` may make this change.

        ``actor`` is the member who proposed it; for a proposal from outside the committer, who answers for it by
        committing it; and for what an external commit contains the new member (its ExternalInit stands for the
        joining itself).
        """
        ...


class AnyMember:
    """Every member may do what RFC 9420 allows members to do."""

    __slots__ = ()

    def check(self, proposal: Proposal, actor: Credential, roster: Roster) -> None:
        return


def actor_of(sender: Sender, tree: RatchetTree, committer: Credential) -> Credential:
    """Whose change a proposal is, when ``committer`` commits it."""
    if sender.sender_type != SenderType.MEMBER or sender.index is None:
        return committer
    leaf = tree.leaf(sender.index)
    if leaf is None:
        raise InvalidCommit("a proposal of somebody who is no member")
    return leaf.credential
