"""All that a member keeps of a group, and how it moves from epoch to epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from crypto.mls.commit_processing import OwnUpdate
from crypto.mls.epoch import Epoch, Membership
from crypto.mls.framing import AuthenticatedContent
from crypto.mls.group_context import GroupContext
from crypto.mls.key_schedule import EpochSecrets
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposal_list import Sourced
from crypto.mls.proposals import Commit, ReInit
from crypto.mls.secret_tree import SecretTree


@dataclass(frozen=True, slots=True, repr=False)
class PendingProposal:
    """A proposal of this epoch, as it was sent; with its secrets if it is this member's own Update."""

    content: AuthenticatedContent
    own_update: OwnUpdate | None = None

    @property
    def sourced(self) -> Sourced:
        proposal = self.content.framed.content
        if isinstance(proposal, bytes | Commit):
            raise TypeError("only proposals are kept")
        return Sourced(proposal, self.content.framed.sender, verified=True)


@dataclass(frozen=True, slots=True, repr=False)
class PastEpoch:
    """What is needed to read application messages that arrive after their epoch; keys by leaf number."""

    context: GroupContext
    secret_tree: SecretTree
    sender_data_secret: bytes
    signature_keys: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True, repr=False)
class GroupState:
    """A group's current epoch, its pending proposals by reference, and what remains of former epochs.

    ``resumption`` has this group's resumption PSKs by epoch. ``active`` is False once this member was removed,
    ``reinit`` is set once the group was closed to be created anew.
    """

    epoch: Epoch
    proposals: Mapping[bytes, PendingProposal]
    past: tuple[PastEpoch, ...]
    resumption: Mapping[int, bytes]
    active: bool = True
    reinit: ReInit | None = None

    @classmethod
    def begin(cls, epoch: Epoch) -> "GroupState":
        """The state of who has just created or joined a group."""
        return cls(epoch, {}, (), {epoch.context.epoch: epoch.secrets.resumption_psk})

    def resumption_psks(self) -> dict[tuple[bytes, int], bytes]:
        """For ``Psks.resumption``."""
        return {(self.epoch.context.group_id, epoch): psk for epoch, psk in self.resumption.items()}

    def with_proposal(self, reference: bytes, proposal: PendingProposal) -> "GroupState":
        return replace(self, proposals={**self.proposals, reference: proposal})

    def without_proposal(self, reference: bytes) -> "GroupState":
        return replace(self, proposals={ref: item for ref, item in self.proposals.items() if ref != reference})

    def advanced(self, epoch: Epoch, reinit: ReInit | None, policy: GroupPolicy) -> "GroupState":
        """In ``epoch``, with the one before it kept for late messages as far as the policy says."""
        before = self.epoch
        signature_keys: list[bytes | None] = [None] * before.tree.width
        for number, leaf in before.tree.leaves():
            signature_keys[number] = leaf.signature_key
        last = PastEpoch(before.context, before.secret_tree, before.secrets.sender_data, tuple(signature_keys))
        past = (last, *self.past)[: policy.past_epochs]
        resumption = {**self.resumption, epoch.context.epoch: epoch.secrets.resumption_psk}
        oldest = epoch.context.epoch - policy.resumption_epochs
        return GroupState(
            epoch, {}, past, {number: psk for number, psk in resumption.items() if number >= oldest}, True, reinit
        )

    def closed(self) -> "GroupState":
        """After this member was removed: who was in the group stays readable, every secret is gone."""
        epoch = self.epoch
        wiped = replace(
            epoch,
            own=Membership(epoch.own.leaf, {}, epoch.own.signer),
            secrets=EpochSecrets(*[b""] * 9),
            secret_tree=SecretTree.empty(epoch.crypto, epoch.tree.width),
        )
        return GroupState(wiped, {}, (), {}, False, None)
