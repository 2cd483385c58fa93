"""Following somebody else's commit (RFC 9420 section 12.4.2)."""

import hmac
from dataclasses import dataclass

from crypto.mls.epoch import Epoch, Membership, Transition
from crypto.mls.errors import InvalidCommit
from crypto.mls.framing import AuthenticatedContent, SenderType
from crypto.mls.key_schedule import EXTERNAL_INIT_CONTEXT
from crypto.mls.leaf_node import LeafNodeSource
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposal_list import (
    Applied,
    ProposalList,
    apply_proposals,
    check_extension_support,
    check_external_list,
    check_member_list,
    check_replacement,
)
from crypto.mls.proposals import Commit, ExternalInit, Remove, needs_path
from crypto.mls.psk import Psks
from crypto.mls.signatures import SigningKey
from crypto.mls.tree_validation import LeafRules, check_members_agree, check_width
from crypto.mls.treekem import PrivateKeys, merge_path, open_path, surviving_keys
from crypto.mls.update_path import UpdatePath


@dataclass(frozen=True, slots=True, repr=False)
class OwnUpdate:
    """The secrets of an Update proposal of this member, for when it is committed."""

    leaf_private_key: bytes
    signer: SigningKey


@dataclass(frozen=True, slots=True, repr=False)
class ProcessedCommit:
    """The result of a commit; ``epoch`` is None if it removes this member."""

    committer: int
    applied: Applied
    epoch: Epoch | None


def process_commit(
    epoch: Epoch,
    content: AuthenticatedContent,
    proposals: ProposalList,
    own_update: OwnUpdate | None,
    psks: Psks,
    policy: GroupPolicy,
    now: int | None,
) -> ProcessedCommit:
    """The epoch after a commit whose framing (signature, membership tag, epoch) was verified.

    ``proposals`` are the commit's with its references resolved, ``own_update`` belongs to this member's own Update
    among them, ``now`` is None if expired leaves are acceptable. Changes nothing.
    """
    commit, sender = content.framed.content, content.framed.sender
    if not isinstance(commit, Commit) or content.confirmation_tag is None:
        raise InvalidCommit("not a commit")
    external = sender.sender_type == SenderType.NEW_MEMBER_COMMIT
    extensions = proposals.extensions(epoch.context.extensions)
    rules = epoch.leaf_rules(policy, now, extensions)
    if external:
        _check_external(epoch, commit, proposals, policy, rules)
    elif sender.sender_type == SenderType.MEMBER and sender.index is not None:
        check_member_list(proposals, epoch.tree, rules, sender.index)
    else:
        raise InvalidCommit("commits come from members and from new members only")
    if commit.path is None and needs_path(item.proposal for item in proposals.items):
        raise InvalidCommit("the commit lacks a path")

    applied = apply_proposals(proposals, epoch.tree, epoch.context.extensions)
    committer = applied.tree.reserve_leaf() if external else sender.index
    if committer is None:
        raise InvalidCommit("a commit without a committer")
    self_removed = epoch.own.leaf in applied.removed
    path: list[tuple[int, int]] = []
    if commit.path is not None:
        _check_path_leaf(epoch, applied, commit.path, committer, rules, external=external)
        path = merge_path(applied.tree, committer, commit.path)
    check_extension_support(epoch.context.extensions, applied)
    check_members_agree(applied.tree)
    check_width(applied.tree, policy.max_width)
    if self_removed:
        return ProcessedCommit(committer, applied, None)

    own = _surviving_membership(epoch, applied, own_update)
    transition = Transition(epoch.context, epoch.interim_transcript_hash, applied.tree, extensions, proposals.psk_ids)
    commit_secret = epoch.crypto.zero
    if commit.path is not None:
        commit_secret, learnt = open_path(
            applied.tree,
            path,
            commit.path,
            own.leaf,
            own.private_keys,
            transition.provisional_context(),
            applied.new_leaves,
        )
        own = Membership(own.leaf, own.private_keys | learnt, own.signer)
    init_secret = _init_secret(epoch, proposals)
    following, _ = transition.complete(content, own, init_secret, commit_secret, psks, policy)
    if not hmac.compare_digest(following.confirmation_tag, content.confirmation_tag):
        raise InvalidCommit("the confirmation tag does not verify")
    return ProcessedCommit(committer, applied, following)


def _check_external(
    epoch: Epoch, commit: Commit, proposals: ProposalList, policy: GroupPolicy, rules: LeafRules
) -> None:
    if not policy.allow_external_commits:
        raise InvalidCommit("external commits are not allowed")
    if any(isinstance(entry, bytes) for entry in commit.proposals):
        raise InvalidCommit("an external commit refers to proposals")
    check_external_list(proposals, epoch.tree, rules)
    removal = proposals.first(Remove)
    if removal is None or commit.path is None:
        return
    if not policy.allow_resync:
        raise InvalidCommit("replacing an old leaf by an external commit is not allowed")
    old = epoch.tree.leaf(removal.removed)
    if old is not None:
        check_replacement(old, commit.path.leaf_node, rules)


def _check_path_leaf(
    epoch: Epoch, applied: Applied, path: UpdatePath, committer: int, rules: LeafRules, *, external: bool
) -> None:
    rules.check(path.leaf_node, committer, LeafNodeSource.COMMIT)
    old = epoch.tree.leaf(committer)
    if not external and old is not None:
        check_replacement(old, path.leaf_node, rules)


def _surviving_membership(epoch: Epoch, applied: Applied, own_update: OwnUpdate | None) -> Membership:
    own = epoch.own
    kept: PrivateKeys = surviving_keys(own.private_keys, epoch.tree, applied.tree)
    if own.leaf not in applied.updated:
        return Membership(own.leaf, kept, own.signer)
    if own_update is None:
        raise InvalidCommit("the commit contains an update of this member that it did not make")
    kept[2 * own.leaf] = own_update.leaf_private_key
    return Membership(own.leaf, kept, own_update.signer)


def _init_secret(epoch: Epoch, proposals: ProposalList) -> bytes:
    external_init = proposals.first(ExternalInit)
    if external_init is None:
        return epoch.secrets.init
    private_key, _ = epoch.secrets.external_key_pair(epoch.crypto)
    return epoch.crypto.hpke.receive_export(
        external_init.kem_output, private_key, EXTERNAL_INIT_CONTEXT, epoch.crypto.hash_size
    )
