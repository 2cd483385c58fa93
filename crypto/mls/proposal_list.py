"""Validity of proposals, alone and together, and their application (RFC 9420 sections 12.1 to 12.3)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from crypto.mls.capabilities import MLS10, Capabilities
from crypto.mls.errors import InvalidLeafNode, InvalidProposal
from crypto.mls.extensions import Extensions, RequiredCapabilities
from crypto.mls.framing import Sender, SenderType
from crypto.mls.key_package import KeyPackage
from crypto.mls.leaf_node import LeafNode, LeafNodeSource
from crypto.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalType,
    ReInit,
    Remove,
    Update,
)
from crypto.mls.psk import PskId, ResumptionPskId, ResumptionUsage
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.tree_validation import LeafRules

P = TypeVar("P", Add, Update, Remove, PreSharedKey, ReInit, ExternalInit, GroupContextExtensions)

EXTERNAL_SENDER_TYPES = frozenset(
    (
        ProposalType.ADD,
        ProposalType.REMOVE,
        ProposalType.PSK,
        ProposalType.REINIT,
        ProposalType.GROUP_CONTEXT_EXTENSIONS,
    )
)
"""What an external sender may propose (section 12.1.8)."""


@dataclass(frozen=True, slots=True)
class Sourced:
    """A proposal and who made it. ``verified``: its MLS signatures were checked when it arrived."""

    proposal: Proposal
    sender: Sender
    verified: bool = False


@dataclass(frozen=True, slots=True)
class ProposalList:
    """The proposals of one commit, in its order."""

    items: tuple[Sourced, ...]

    def of_type(self, kind: type[P]) -> Iterator[tuple[P, Sourced]]:
        for item in self.items:
            if isinstance(item.proposal, kind):
                yield item.proposal, item

    def first(self, kind: type[P]) -> P | None:
        return next((proposal for proposal, _ in self.of_type(kind)), None)

    @property
    def psk_ids(self) -> tuple[PskId, ...]:
        return tuple(proposal.psk for proposal, _ in self.of_type(PreSharedKey))

    def extensions(self, current: Extensions) -> Extensions:
        """The group's extensions once these proposals are applied."""
        change = self.first(GroupContextExtensions)
        return current if change is None else change.extensions


@dataclass(frozen=True, slots=True)
class Applied:
    """What a list of proposals did to a tree."""

    tree: RatchetTree
    extensions: Extensions
    added: tuple[tuple[int, KeyPackage], ...]
    updated: tuple[int, ...]
    removed: tuple[int, ...]

    @property
    def new_leaves(self) -> frozenset[int]:
        return frozenset(number for number, _ in self.added)


def check_proposal(item: Sourced, tree: RatchetTree, rules: LeafRules, linked: ResumptionUsage | None = None) -> None:
    """Raise unless one proposal is valid by itself (section 12.1).

    ``rules`` carry the extensions in force with the commit; ``linked`` is the usage of the resumption PSK that a new
    group linked to an old one may use.
    """
    match item.proposal:
        case Add(key_package):
            if item.verified:
                rules.check_again(key_package.leaf_node)
            else:
                rules.check_key_package(key_package)
        case Update(leaf_node):
            _check_update(item, leaf_node, tree, rules)
        case Remove(removed):
            if tree.leaf(removed) is None:
                raise InvalidProposal("the member to remove does not exist")
        case PreSharedKey(psk):
            if len(psk.nonce) != rules.crypto.hash_size:
                raise InvalidProposal("the nonce of a PSK has the wrong length")
            if isinstance(psk, ResumptionPskId) and psk.usage not in (ResumptionUsage.APPLICATION, linked):
                raise InvalidProposal("a resumption PSK is used outside of its purpose")
        case ReInit() as reinit:
            if reinit.version < MLS10:
                raise InvalidProposal("a re-initialisation must not lower the version")
            replace(rules, extensions=reinit.extensions).check_group_extensions()
        case GroupContextExtensions(extensions):
            replace(rules, extensions=extensions).check_group_extensions()
        case ExternalInit():
            pass  # its place is checked with the list, its content when the key schedule uses it


def _check_update(item: Sourced, leaf: LeafNode, tree: RatchetTree, rules: LeafRules) -> None:
    number = item.sender.index
    old = None if number is None else tree.leaf(number)
    if item.sender.sender_type != SenderType.MEMBER or number is None or old is None:
        raise InvalidProposal("only members update themselves")
    if item.verified:
        rules.check_again(leaf)
    else:
        rules.check(leaf, number, LeafNodeSource.UPDATE)
    check_replacement(old, leaf, rules)


def check_replacement(old: LeafNode, new: LeafNode, rules: LeafRules) -> None:
    """Raise unless ``new`` may take the place of ``old`` (sections 7.3, 7.5 and 12.2)."""
    if old.encryption_key == new.encryption_key:
        raise InvalidLeafNode("the encryption key was not replaced")
    if not rules.authentication.is_successor(old.credential, new.credential):
        raise InvalidLeafNode("the new credential is no successor of the old one")


def check_member_list(
    proposals: ProposalList,
    tree: RatchetTree,
    rules: LeafRules,
    committer: int,
    linked: ResumptionUsage | None = None,
) -> None:
    """Raise unless the list is valid for a member's commit (section 12.2)."""
    for item in proposals.items:
        check_proposal(item, tree, rules, linked)
    if proposals.first(ExternalInit) is not None:
        raise InvalidProposal("an external init in a member's commit")
    if proposals.first(ReInit) is not None and len(proposals.items) > 1:
        raise InvalidProposal("a re-initialisation must be committed alone")
    if sum(1 for _ in proposals.of_type(GroupContextExtensions)) > 1:
        raise InvalidProposal("more than one change of the extensions")
    changed: list[int | None] = [item.sender.index for _, item in proposals.of_type(Update)]
    if committer in changed:
        raise InvalidProposal("a committer updates itself with the path, not with a proposal")
    removed = [proposal.removed for proposal, _ in proposals.of_type(Remove)]
    if committer in removed:
        raise InvalidProposal("a committer cannot remove itself")
    if _has_duplicates([*changed, *removed]):
        raise InvalidProposal("several proposals change the same member")
    keys = [proposal.key_package.leaf_node.signature_key for proposal, _ in proposals.of_type(Add)]
    if _has_duplicates(keys):
        raise InvalidProposal("the same client is added twice")
    _check_psks(proposals, linked)


def check_external_list(proposals: ProposalList, tree: RatchetTree, rules: LeafRules) -> None:
    """Raise unless the list is valid for an external commit (section 12.2)."""
    counts = Counter(type(item.proposal) for item in proposals.items)
    if counts[ExternalInit] != 1 or counts[Remove] > 1 or set(counts) - {ExternalInit, Remove, PreSharedKey}:
        raise InvalidProposal("an external commit with other proposals than it may have")
    for item in proposals.items:
        check_proposal(item, tree, rules)
    _check_psks(proposals, None)


def _check_psks(proposals: ProposalList, linked: ResumptionUsage | None) -> None:
    ids = proposals.psk_ids
    if _has_duplicates([psk.key for psk in ids]):
        raise InvalidProposal("the same PSK is used twice")
    if linked is not None and sum(isinstance(psk, ResumptionPskId) and psk.usage == linked for psk in ids) != 1:
        raise InvalidProposal("a linked group needs the resumption PSK of the old one")


def _has_duplicates(values: Sequence[object]) -> bool:
    return len(set(values)) != len(values)


def apply_proposals(proposals: ProposalList, tree: RatchetTree, extensions: Extensions) -> Applied:
    """Apply a valid list to a copy of ``tree`` (section 12.3)."""
    tree = tree.copy()
    updated, removed, added = [], [], []
    for update, item in proposals.of_type(Update):
        if item.sender.index is not None:
            tree.update(item.sender.index, update.leaf_node)
            updated.append(item.sender.index)
    for remove, _ in proposals.of_type(Remove):
        tree.remove(remove.removed)
        removed.append(remove.removed)
    for add, _ in proposals.of_type(Add):
        added.append((tree.add(add.key_package.leaf_node), add.key_package))
    return Applied(tree, proposals.extensions(extensions), tuple(added), tuple(updated), tuple(removed))


def check_extension_support(before: Extensions, applied: Applied) -> None:
    """Raise unless every member supports changed group extensions (sections 12.1.7 and 13.4)."""
    if applied.extensions != before and not all(
        supports(leaf.capabilities, applied.extensions) for _, leaf in applied.tree.leaves()
    ):
        raise InvalidProposal("a member does not support the group's new extensions")


def supports(capabilities: Capabilities, extensions: Extensions) -> bool:
    """Whether a member with these capabilities may be in a group with these extensions."""
    required = RequiredCapabilities.of(extensions)
    return capabilities.satisfies(required) and capabilities.supports_extensions(extensions)
