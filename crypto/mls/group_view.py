"""What can be read of a group (RFC 9420)."""

from crypto.mls.cipher_suite import CipherSuite
from crypto.mls.errors import (
    GroupInactive,
    InvalidInput,
)
from crypto.mls.extensions import Extensions
from crypto.mls.group_parts import group_changes
from crypto.mls.group_state import GroupState
from crypto.mls.messages import encode_message
from crypto.mls.parts import Changes
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposals import (
    ReInit,
)
from crypto.mls.results import Member, ProposalReceived
from crypto.mls.state import encode_group
from crypto.randomness import Randomness


class GroupView:
    """A group as one member sees it: its members, its epoch and what follows from its secrets."""

    __slots__ = ("_policy", "_randomness", "_state", "_stored")

    def __init__(
        self, state: GroupState, randomness: Randomness, policy: GroupPolicy, stored: GroupState | None = None
    ) -> None:
        self._state = state
        self._stored = stored
        self._randomness = randomness
        self._policy = policy

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.group_id.hex()}, epoch={self.epoch}, own_leaf={self.own_leaf})"

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
    def own_leaf(self) -> int:
        """This member's leaf number."""
        return self._state.epoch.own.leaf

    @property
    def extensions(self) -> Extensions:
        return self._state.epoch.context.extensions

    @property
    def epoch_authenticator(self) -> bytes:
        """Equal among members who agree on this epoch (section 8.7); to compare out of band."""
        return self._state.epoch.secrets.epoch_authenticator

    @property
    def members(self) -> tuple[Member, ...]:
        tree = self._state.epoch.tree
        return tuple(Member.at(tree, number) for number, _ in tree.leaves())

    def member(self, leaf_index: int) -> Member | None:
        """The member at a leaf, None for a blank one."""
        tree = self._state.epoch.tree
        return None if tree.leaf(leaf_index) is None else Member.at(tree, leaf_index)

    @property
    def active(self) -> bool:
        """Whether this member can send: False once it was removed or the group was closed by a re-initialisation."""
        return self._state.active and self._state.reinit is None

    @property
    def reinit(self) -> ReInit | None:
        """The parameters of the group to come, if this one was closed."""
        return self._state.reinit

    @property
    def pending_proposals(self) -> tuple[ProposalReceived, ...]:
        """Proposals of this epoch that wait for a commit."""
        return tuple(
            ProposalReceived(pending.sourced.sender, pending.sourced.proposal, reference)
            for reference, pending in self._state.proposals.items()
        )

    def export_secret(self, label: str, context: bytes, length: int) -> bytes:
        """``length`` secret bytes that all members of this epoch can derive (section 8.5)."""
        self._require_membership()
        return self._state.epoch.secrets.export(self._state.epoch.crypto, label, context, length)

    def resumption_psk(self, epoch: int | None = None) -> bytes:
        """The resumption PSK of an epoch, by default of this one (section 8.6)."""
        psk = self._state.resumption.get(self.epoch if epoch is None else epoch)
        if psk is None:
            raise InvalidInput("the resumption PSK of this epoch is not remembered")
        return psk

    def group_info(self, *, with_tree: bool = True, external_pub: bool = True) -> bytes:
        """A signed GroupInfo, with what external joiners need by default (section 12.4.3)."""
        self._require_active()
        return encode_message(self._state.epoch.group_info(with_tree=with_tree, with_external_pub=external_pub))

    def ratchet_tree(self) -> bytes:
        """The public tree, for joiners whose Welcome or GroupInfo does not carry it."""
        return self._state.epoch.tree.encode()

    def serialize(self) -> bytes:
        """Everything this member knows, private keys included: to be stored encrypted after every change."""
        return encode_group(self._state)

    def changes(self) -> Changes:
        """What has to be written since the last call, or since the group was restored from parts; at first everything.

        Parts contain private keys: store them encrypted, and delete what is to be deleted, before a message is sent
        or acknowledged. If that fails, go back to what is stored with ``Group.restore_parts``.
        """
        changes = group_changes(self._stored, self._state)
        self._stored = self._state
        return changes

    def _require_membership(self) -> None:
        if not self._state.active:
            raise GroupInactive("this member was removed from the group")

    def _require_active(self) -> None:
        self._require_membership()
        if self._state.reinit is not None:
            raise GroupInactive("the group was closed by a re-initialisation")
