"""Creating a commit, its Welcome and its GroupInfo (RFC 9420 sections 12.4.1 and 12.4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.mls import tree_math
from crypto.mls.commit_validation import authorize_commit
from crypto.mls.epoch import Epoch, Membership, Transition
from crypto.mls.errors import InvalidInput
from crypto.mls.framing import AuthenticatedContent, FramedContent, Sender, WireFormat
from crypto.mls.key_schedule import JoinerSecrets
from crypto.mls.messages import Message, encode_message
from crypto.mls.policy import GroupPolicy
from crypto.mls.private_message import protect_private
from crypto.mls.proposal_list import (
    Applied,
    ProposalList,
    apply_proposals,
    check_extension_support,
    check_member_list,
    check_replacement,
)
from crypto.mls.proposals import Add, Commit, ProposalOrRef, ReInit, needs_path
from crypto.mls.psk import Psks, ResumptionUsage
from crypto.mls.public_message import protect_public
from crypto.mls.signatures import SigningKey
from crypto.mls.tree_validation import check_members_agree, check_width
from crypto.mls.treekem import LeafTemplate, NewPath, make_path, seal_path, surviving_keys
from crypto.mls.welcome import GroupSecrets, Welcome
from crypto.randomness import Randomness


@dataclass(frozen=True, slots=True)
class CommitOptions:
    """How to commit: the wire format, whether to force a path, what joiners get, and the committer's new leaf."""

    wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE
    force_path: bool = False
    tree_in_welcome: bool = True
    group_info: bool = False
    authenticated_data: bytes = b""
    leaf: LeafTemplate | None = None
    signer: SigningKey | None = None
    linked: ResumptionUsage | None = None


@dataclass(frozen=True, slots=True, repr=False)
class CreatedCommit:
    """A commit and all that follows if it is accepted."""

    message: bytes
    welcome: bytes | None
    group_info: bytes | None
    epoch: Epoch
    applied: Applied
    reinit: ReInit | None


def create_commit(
    epoch: Epoch,
    proposals: ProposalList,
    entries: Sequence[ProposalOrRef],
    psks: Psks,
    options: CommitOptions,
    policy: GroupPolicy,
    now: int,
    randomness: Randomness,
) -> CreatedCommit:
    """Commit ``proposals``, listed in the commit as ``entries`` in the same order.

    Leaves ``epoch`` as it is, but for the handshake key that a PrivateMessage uses up.
    """
    crypto = epoch.crypto
    rules = epoch.leaf_rules(policy, now, proposals.extensions(epoch.context.extensions))
    check_member_list(proposals, epoch.tree, rules, epoch.own.leaf, options.linked)
    authorize_commit(epoch, proposals, epoch.own_leaf.credential, policy, options.linked)
    for item in proposals.items:  # what is verified already may have expired since
        if item.verified and isinstance(item.proposal, Add):
            rules.check_lifetime(item.proposal.key_package.leaf_node)
    applied = apply_proposals(proposals, epoch.tree, epoch.context.extensions)
    transition = Transition(
        epoch.context, epoch.interim_transcript_hash, applied.tree, applied.extensions, proposals.psk_ids
    )
    path: NewPath | None = None
    update_path = None
    signer, commit_secret = epoch.own.signer, crypto.zero
    if options.force_path or options.leaf or options.signer or needs_path(i.proposal for i in proposals.items):
        signer = options.signer or epoch.own.signer
        path = make_path(
            applied.tree,
            epoch.own.leaf,
            options.leaf or LeafTemplate.of(epoch.own_leaf),
            signer,
            epoch.context.group_id,
            randomness,
        )
        rules.check_support(path.leaf_node)
        policy.authentication.validate(path.leaf_node.credential, path.leaf_node.signature_key, None)
        check_replacement(epoch.own_leaf, path.leaf_node, rules)
        update_path = seal_path(applied.tree, path, transition.provisional_context(), applied.new_leaves, randomness)
        commit_secret = path.commit_secret
    check_extension_support(epoch.context.extensions, applied)
    check_members_agree(applied.tree)
    check_width(applied.tree, policy.max_width)
    private_keys = surviving_keys(epoch.own.private_keys, epoch.tree, applied.tree)
    if path is not None:
        private_keys |= path.private_keys
    own = Membership(epoch.own.leaf, private_keys, signer)

    framed = FramedContent(
        epoch.context.group_id,
        epoch.context.epoch,
        Sender.member(epoch.own.leaf),
        options.authenticated_data,
        Commit(tuple(entries), update_path),
    )
    signed = AuthenticatedContent.sign(crypto, options.wire_format, framed, epoch.context, epoch.own.signer)
    following, joiner = transition.complete(signed, own, epoch.secrets.init, commit_secret, psks, policy)
    welcome = _welcome(following, joiner, transition, applied, path, options, randomness)
    group_info = None
    if options.group_info:
        info = following.group_info(with_tree=options.tree_in_welcome, with_external_pub=True)
        group_info = encode_message(info)
    message = protect(epoch, signed.confirmed(following.confirmation_tag), randomness)
    return CreatedCommit(encode_message(message), welcome, group_info, following, applied, proposals.first(ReInit))


def protect(epoch: Epoch, content: AuthenticatedContent, randomness: Randomness, padding: int = 0) -> Message:
    """Content signed by this member, in the wire format it was signed for."""
    if content.wire_format == WireFormat.PUBLIC_MESSAGE:
        return protect_public(epoch.crypto, content, epoch.context, epoch.secrets.membership_key)
    if content.wire_format == WireFormat.PRIVATE_MESSAGE:
        return protect_private(epoch.crypto, content, epoch.secret_tree, epoch.secrets.sender_data, randomness, padding)
    raise InvalidInput("content is framed as a PublicMessage or a PrivateMessage")


def _welcome(
    epoch: Epoch,
    joiner: JoinerSecrets,
    transition: Transition,
    applied: Applied,
    path: NewPath | None,
    options: CommitOptions,
    randomness: Randomness,
) -> bytes | None:
    if not applied.added:
        return None
    info = epoch.group_info(with_tree=options.tree_in_welcome, with_external_pub=False)
    key, nonce = joiner.welcome_key(epoch.crypto)
    encrypted_info = epoch.crypto.aead.seal(key, nonce, b"", info.encode())
    recipients = []
    for number, package in applied.added:
        ancestor = tree_math.common_ancestor(number, epoch.own.leaf)
        secret = None if path is None else path.secret_for(ancestor)
        secrets = GroupSecrets(joiner.joiner, secret, tuple(transition.psk_ids))
        recipients.append((package.reference(), package.init_key, secrets))
    return encode_message(Welcome.seal(epoch.crypto, encrypted_info, recipients, randomness))
