"""Choosing which pending proposals to commit (RFC 9420 section 12.4: all that are valid and do not conflict)."""

from collections.abc import Iterable, Sequence

from crypto.errors import CryptoError
from crypto.mls.extensions import Extensions
from crypto.mls.leaf_node import LeafNode
from crypto.mls.proposal_list import Sourced, check_proposal, supports
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

    What the committer adds ``by_value`` has precedence; among the pending ones new extensions and then removals come
    first, the latest has precedence over earlier ones, and a ReInit is committed only if there is nothing else.
    Whatever others propose, the selection can be committed: a proposal that would prevent it is left out.
    """
    usable = [item for item in pending if _is_usable(item[1], tree, rules, committer, psks)]
    if not usable:
        return []
    chosen = _Chosen(by_value, tree, rules.extensions, committer)
    by_precedence = sorted(range(len(usable)), key=lambda i: (_rank(usable[i][1].proposal), -i))
    admitted = {i for i in by_precedence if chosen.admit(usable[i][1])}
    return [item for i, item in enumerate(usable) if i in admitted]


def _rank(proposal: Proposal) -> int:
    match proposal:
        case GroupContextExtensions():
            return 0
        case Remove():
            return 1
        case ReInit():
            return 3
        case _:
            return 2


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
    """What the commit contains so far, and what the group will be like after it."""

    def __init__(self, by_value: Sequence[Proposal], tree: RatchetTree, extensions: Extensions, committer: int) -> None:
        self._tree = tree
        self._count = len(by_value)
        self._only = any(isinstance(p, ReInit) for p in by_value)
        changes = [p.extensions for p in by_value if isinstance(p, GroupContextExtensions)]
        self._extensions = changes[0] if changes else extensions
        self._extensions_settled = bool(changes)
        self._changed: set[int | None] = {p.removed for p in by_value if isinstance(p, Remove)}
        self._psks = {p.psk.key for p in by_value if isinstance(p, PreSharedKey)}
        self._leaves = [leaf for number, leaf in tree.leaves() if number == committer or number not in self._changed]
        self._leaves += [p.key_package.leaf_node for p in by_value if isinstance(p, Add)]
        self._keys = tree.encryption_keys() | {leaf.signature_key for leaf in self._leaves}
        self._keys |= {leaf.encryption_key for leaf in self._leaves}
        self._in_use = {int(leaf.credential.credential_type) for leaf in self._leaves}
        self._readable = set.intersection(*(set(leaf.capabilities.credentials) for leaf in self._leaves))

    def admit(self, item: Sourced) -> bool:
        """Take ``item`` in, unless it conflicts with what is there."""
        if self._only or not self._fits(item):
            return False
        self._count += 1
        return True

    def _fits(self, item: Sourced) -> bool:
        match item.proposal:
            case GroupContextExtensions(extensions):
                if self._extensions_settled or not all(supports(leaf, extensions) for leaf in self._leaves):
                    return False
                self._extensions, self._extensions_settled = extensions, True
                return True
            case Add(key_package):
                return self._admit_leaf(key_package.leaf_node, key_package.leaf_node.signature_key)
            case Remove(removed):
                old = self._tree.leaf(removed)
                if removed in self._changed or old is None:
                    return False
                self._changed.add(removed)
                self._keys.discard(old.signature_key)
                return True
            case Update(leaf_node):
                number = item.sender.index
                old = None if number is None else self._tree.leaf(number)
                if number in self._changed or old is None:
                    return False
                new_key = None if leaf_node.signature_key == old.signature_key else leaf_node.signature_key
                if not self._admit_leaf(leaf_node, new_key):
                    return False
                self._changed.add(number)
                return True
            case PreSharedKey(psk):
                if psk.key in self._psks:
                    return False
                self._psks.add(psk.key)
                return True
            case ReInit():
                self._only = self._count == 0
                return self._only
            case ExternalInit():
                return False

    def _admit_leaf(self, leaf: LeafNode, new_signature_key: bytes | None) -> bool:
        """Whether a new leaf has fresh keys and gets along with the others' credentials and the extensions."""
        keys = {leaf.encryption_key} | (set() if new_signature_key is None else {new_signature_key})
        credential_type = int(leaf.credential.credential_type)
        if (
            keys & self._keys
            or credential_type not in self._readable
            or not self._in_use <= leaf.capabilities.credential_set
            or not supports(leaf, self._extensions)
        ):
            return False
        self._keys |= keys
        self._in_use.add(credential_type)
        self._readable &= leaf.capabilities.credential_set
        return True
