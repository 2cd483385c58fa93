"""Choosing which pending proposals to commit (RFC 9420 section 12.4: all that are valid and do not conflict)."""

from collections.abc import Iterable, Sequence

from crypto.errors import CryptoError
from crypto.mls.proposal_list import Sourced, check_proposal
from crypto.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from crypto.mls.psk import Psks
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.tree_validation import LeafRules

Pending = tuple[bytes, Sourced]
"""A proposal with its reference."""


def select_proposals(
    pending: Iterable[Pending],
    by_value: Sequence[Proposal],
    tree: RatchetTree,
    rules: LeafRules,
    committer: int,
    psks: Psks,
) -> list[Pending]:
    """The pending proposals to commit by reference, in the order they came.

    What the committer adds ``by_value`` has precedence; among the pending ones a Remove has it over an Update, and
    the latest has it over earlier ones; a ReInit is committed only if there is nothing else.
    """
    usable = [item for item in pending if _is_usable(item[1], tree, rules, committer, psks)]
    chosen = _Chosen(by_value, tree)
    # Removals first, then the latest of each kind: whatever is admitted first keeps the place.
    by_precedence = sorted(
        range(len(usable)),
        key=lambda i: (isinstance(usable[i][1].proposal, ReInit), not _is(usable[i], Remove), -i),
    )
    admitted = {i for i in by_precedence if chosen.admit(usable[i][1])}
    return [item for i, item in enumerate(usable) if i in admitted]


def _is(item: Pending, kind: type) -> bool:
    return isinstance(item[1].proposal, kind)


def _is_usable(item: Sourced, tree: RatchetTree, rules: LeafRules, committer: int, psks: Psks) -> bool:
    proposal = item.proposal
    if isinstance(proposal, ExternalInit):
        return False
    if isinstance(proposal, Update) and item.sender.index == committer:
        return False
    if isinstance(proposal, Remove) and proposal.removed == committer:
        return False
    if isinstance(proposal, PreSharedKey) and psks.find(proposal.psk) is None:
        return False
    try:
        if isinstance(proposal, Add):
            rules.check_lifetime(proposal.key_package.leaf_node)
        check_proposal(item, tree, rules)
    except CryptoError:  # a bad proposal of somebody else must not keep this member from committing
        return False
    return True


class _Chosen:
    """What the commit contains so far."""

    def __init__(self, by_value: Sequence[Proposal], tree: RatchetTree) -> None:
        self._count = len(by_value)
        self._only = any(isinstance(p, ReInit) for p in by_value)
        self._extensions = any(isinstance(p, GroupContextExtensions) for p in by_value)
        self._changed: set[int | None] = {p.removed for p in by_value if isinstance(p, Remove)}
        self._psks = {p.psk.key for p in by_value if isinstance(p, PreSharedKey)}
        self._keys = {
            key
            for number, leaf in tree.leaves()
            for key in (leaf.signature_key, leaf.encryption_key)
            if number not in self._changed
        }
        self._tree = tree
        for proposal in by_value:
            if isinstance(proposal, Add):
                leaf = proposal.key_package.leaf_node
                self._keys |= {leaf.signature_key, leaf.encryption_key}

    def admit(self, item: Sourced) -> bool:
        """Take ``item`` in, unless it conflicts with what is there."""
        if self._only or not self._fits(item):
            return False
        self._count += 1
        return True

    def _fits(self, item: Sourced) -> bool:
        match item.proposal:
            case Add(key_package):
                leaf = key_package.leaf_node
                keys = {leaf.signature_key, leaf.encryption_key}
                if keys & self._keys:
                    return False
                self._keys |= keys
            case Remove(removed):
                old = self._tree.leaf(removed)
                if removed in self._changed or old is None:
                    return False
                self._changed.add(removed)
                self._keys -= {old.signature_key, old.encryption_key}
            case Update(leaf_node):
                old = None if item.sender.index is None else self._tree.leaf(item.sender.index)
                if item.sender.index in self._changed or old is None:
                    return False
                self._changed.add(item.sender.index)
                others = self._keys - {old.signature_key}
                if {leaf_node.signature_key, leaf_node.encryption_key} & others:
                    return False
                self._keys |= {leaf_node.signature_key, leaf_node.encryption_key}
            case PreSharedKey(psk):
                if psk.key in self._psks:
                    return False
                self._psks.add(psk.key)
            case GroupContextExtensions():
                if self._extensions:
                    return False
                self._extensions = True
            case ReInit():
                if self._count:
                    return False
                self._only = True
        return True
