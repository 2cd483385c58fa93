"""The public part of following a commit (RFC 9420 section 12.4.2): all that can be checked without any secret."""

from dataclasses import dataclass

from crypto.mls.authorization import Roster, actor_of
from crypto.mls.credentials import Credential
from crypto.mls.epoch import PublicEpoch, Transition
from crypto.mls.errors import InvalidCommit
from crypto.mls.framing import AuthenticatedContent, SenderType
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
from crypto.mls.proposals import Commit, Remove, needs_path
from crypto.mls.psk import ResumptionUsage
from crypto.mls.tree_validation import LeafRules, check_members_agree, check_width
from crypto.mls.treekem import check_recipients, merge_path
from crypto.mls.update_path import UpdatePath


@dataclass(frozen=True, slots=True, repr=False)
class ValidCommit:
    """A commit whose public part is valid, and what it does.

    ``actors`` are whose changes the proposals are, in their order; ``path`` is the committer's filtered direct path,
    empty if the commit has none.
    """

    content: AuthenticatedContent
    commit: Commit
    proposals: ProposalList
    actors: tuple[Credential, ...]
    committer: int
    applied: Applied
    path: tuple[tuple[int, int], ...]
    transition: Transition

    @property
    def confirmation_tag(self) -> bytes:
        """The tag that the commit carries, which only members can verify."""
        assert self.content.confirmation_tag is not None  # checked by validate_commit
        return self.content.confirmation_tag


def validate_commit(
    epoch: PublicEpoch, content: AuthenticatedContent, proposals: ProposalList, policy: GroupPolicy, now: int | None
) -> ValidCommit:
    """Check a commit whose framing (signature, epoch) was verified. Changes nothing.

    ``proposals`` are the commit's with its references resolved; ``now`` is None if expired leaves are acceptable.
    """
    commit, sender = content.framed.content, content.framed.sender
    if not isinstance(commit, Commit) or content.confirmation_tag is None:
        raise InvalidCommit("not a commit")
    if len(content.confirmation_tag) != epoch.crypto.hash_size:
        raise InvalidCommit("the confirmation tag has the wrong length")
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
    if commit.path is not None:
        _check_path_leaf(epoch, commit.path, committer, rules, external=external)
    actors = authorize_commit(epoch, proposals, _committing(epoch, commit, committer, external=external), policy)
    path: list[tuple[int, int]] = []
    if commit.path is not None:
        path = merge_path(applied.tree, committer, commit.path)
        check_recipients(applied.tree, path, commit.path, applied.new_leaves)
    check_extension_support(epoch.context.extensions, applied)
    check_members_agree(applied.tree)
    check_width(applied.tree, policy.max_width)
    transition = Transition(epoch.context, epoch.interim_transcript_hash, applied.tree, extensions, proposals.psk_ids)
    return ValidCommit(content, commit, proposals, actors, committer, applied, tuple(path), transition)


def authorize_commit(
    epoch: PublicEpoch,
    proposals: ProposalList,
    committer: Credential,
    policy: GroupPolicy,
    linked: ResumptionUsage | None = None,
) -> tuple[Credential, ...]:
    """Whose changes ``proposals`` are; NotAuthorized if the policy does not allow one of them.

    The first commit of a group that continues another one (``linked``) is its founder's own and needs nobody's leave.
    """
    roster = Roster(epoch.context.extensions, epoch.tree)
    actors = tuple(actor_of(item.sender, epoch.tree, committer) for item in proposals.items)
    if linked is None:
        for item, actor in zip(proposals.items, actors, strict=True):
            policy.authorization.check(item.proposal, actor, roster)
    return actors


def _committing(epoch: PublicEpoch, commit: Commit, committer: int, *, external: bool) -> Credential:
    """The committer's credential: a member's before the commit, a new member's in it."""
    leaf = epoch.tree.leaf(committer) if not external else None if commit.path is None else commit.path.leaf_node
    if leaf is None:
        raise InvalidCommit("a commit without a committer")
    return leaf.credential


def _check_external(
    epoch: PublicEpoch, commit: Commit, proposals: ProposalList, policy: GroupPolicy, rules: LeafRules
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


def _check_path_leaf(epoch: PublicEpoch, path: UpdatePath, committer: int, rules: LeafRules, *, external: bool) -> None:
    rules.check(path.leaf_node, committer, LeafNodeSource.COMMIT)
    old = epoch.tree.leaf(committer)
    if not external and old is not None:
        check_replacement(old, path.leaf_node, rules)
