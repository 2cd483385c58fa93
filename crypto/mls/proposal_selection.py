"""Choosing which pending proposals to commit (RFC 9420 section 12.4: all that are valid and do not conflict)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crypto.errors import CryptoError
from crypto.mls.authorization import Roster, actor_of
from crypto.mls.extensions import Extensions
from crypto.mls.leaf_node import LeafNode
from crypto.mls.policy import GroupPolicy
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
from crypto.mls.treekem import LeafTemplate

Pending = tuple[bytes, Sourced]
"""A proposal with its reference."""


@dataclass(frozen=True, slots=True)
class Committer:
    """Who commits, and what its leaf says and is signed with once the commit is applied."""

    leaf: int
    template: LeafTemplate
    signature_key: bytes


def select_proposals(
    pending: Iterable[Pending],
    by_value: Sequence[Proposal],
    tree: RatchetTree,
    rules: LeafRules,
    committer: Committer,
    psks: Psks,
    policy: GroupPolicy,
) -> list[Pending]:
    """The pending proposals to commit by reference, in the order they came.

    What the committer adds ``by_value`` has precedence; among the pending ones new extensions and then removals come
    first, the latest has precedence over earlier ones, and a ReInit is committed only if there is nothing else.
    Whatever others propose, the selection can be committed: a proposal that would prevent it is left out.
    """
    usable = [item for item in pending if _is_usable(item[1], tree, rules, committer.leaf, psks, policy)]
    if not usable:
        return []
    chosen = _Chosen(by_value, tree, rules.extensions, committer, policy.max_width)
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


def _is_usable(
    item: Sourced, tree: RatchetTree, rules: LeafRules, committer: int, psks: Psks, policy: GroupPolicy
) -> bool:
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
        own = tree.leaf(committer)
        if own is not None:
            roster = Roster(rules.extensions, tree)
            policy.authorization.check(proposal, actor_of(item.sender, tree, own.credential), roster)
    except CryptoError:  # a bad proposal of somebody else must not keep this member from committing
        return False
    return True


class _Chosen:
    """What the commit contains so far, and what the group will be like after it."""

    def __init__(
        self,
        by_value: Sequence[Proposal],
        tree: RatchetTree,
        extensions: Extensions,
        committer: Committer,
        max_members: int,
    ) -> None:
        self._tree = tree
        self._count = len(by_value)
        self._only = any(isinstance(p, ReInit) for p in by_value)
        changes = [p.extensions for p in by_value if isinstance(p, GroupContextExtensions)]
        self._extensions = changes[0] if changes else extensions
        self._extensions_settled = bool(changes)
        self._changed: set[int | None] = {p.removed for p in by_value if isinstance(p, Remove)}
        self._psks = {p.psk.key for p in by_value if isinstance(p, PreSharedKey)}
        added = [p.key_package.leaf_node for p in by_value if isinstance(p, Add)]
        rest = [leaf for number, leaf in tree.leaves() if number != committer.leaf and number not in self._changed]
        self._room = max_members - len(rest) - len(added) - 1
        # Both kinds of keys can be the same bytes, and one leaves the group without the other.
        self._encryption_keys = tree.encryption_keys() | {leaf.encryption_key for leaf in added}
        self._signature_keys = Counter(leaf.signature_key for leaf in (*rest, *added))
        self._signature_keys[committer.signature_key] += 1
        credentials = [committer.template.credential, *(leaf.credential for leaf in (*rest, *added))]
        self._capabilities = [committer.template.capabilities, *(leaf.capabilities for leaf in (*rest, *added))]
        self._in_use = {int(credential.credential_type) for credential in credentials}
        self._readable = frozenset.intersection(*(each.credential_set for each in self._capabilities))

    def admit(self, item: Sourced) -> bool:
        """Take ``item`` in, unless it conflicts with what is there."""
        if self._only or not self._fits(item):
            return False
        self._count += 1
        return True

    def _fits(self, item: Sourced) -> bool:
        match item.proposal:
            case GroupContextExtensions(extensions):
                if self._extensions_settled or not all(supports(each, extensions) for each in self._capabilities):
                    return False
                self._extensions, self._extensions_settled = extensions, True
                return True
            case Add(key_package):
                leaf = key_package.leaf_node
                if self._room <= 0 or not self._admit_leaf(leaf, leaf.signature_key):
                    return False
                self._room -= 1
                return True
            case Remove(removed):
                old = self._tree.leaf(removed)
                if removed in self._changed or old is None:
                    return False
                self._changed.add(removed)
                self._signature_keys[old.signature_key] -= 1
                self._room += 1
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
        credential_type = int(leaf.credential.credential_type)
        if (
            leaf.encryption_key in self._encryption_keys
            or (new_signature_key is not None and self._signature_keys[new_signature_key] > 0)
            or credential_type not in self._readable
            or not self._in_use <= leaf.capabilities.credential_set
            or not supports(leaf.capabilities, self._extensions)
        ):
            return False
        self._encryption_keys.add(leaf.encryption_key)
        if new_signature_key is not None:
            self._signature_keys[new_signature_key] += 1
        self._in_use.add(credential_type)
        self._readable &= leaf.capabilities.credential_set
        return True
