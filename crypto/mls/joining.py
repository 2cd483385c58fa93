"""Joining a group: by Welcome, or by an external commit (RFC 9420 sections 12.4.3.1 and 12.4.3.2)."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from crypto.mls import tree_math
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import SuiteCrypto, suite_crypto
from crypto.mls.credentials import Credential
from crypto.mls.epoch import Epoch, Membership, Transition, start_epoch
from crypto.mls.errors import InvalidWelcome
from crypto.mls.extensions import Extensions, ExtensionType, external_pub, find_extension
from crypto.mls.framing import AuthenticatedContent, FramedContent, Sender, SenderType, WireFormat
from crypto.mls.key_package import KeyPackageBundle
from crypto.mls.key_schedule import EXTERNAL_INIT_CONTEXT, JoinerSecrets
from crypto.mls.messages import encode_message
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposal_list import ProposalList, Sourced, apply_proposals, check_external_list, check_replacement
from crypto.mls.proposals import Commit, ExternalInit, PreSharedKey, Proposal, Remove
from crypto.mls.psk import PskId, Psks, ResumptionPskId, ResumptionUsage, psk_secret
from crypto.mls.public_message import protect_public
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.signatures import SigningKey
from crypto.mls.transcript import interim_transcript_hash
from crypto.mls.tree_validation import LeafRules, check_members_agree, check_tree, check_width
from crypto.mls.treekem import LeafTemplate, PrivateKeys, follow_path, make_path, seal_path
from crypto.mls.welcome import GroupInfo, Welcome
from crypto.randomness import Randomness


@dataclass(frozen=True, slots=True, repr=False)
class Joined:
    """The first epoch of a new member, and the PSKs that its Welcome named."""

    epoch: Epoch
    psk_ids: tuple[PskId, ...]


def join_by_welcome(
    welcome: Welcome,
    bundle: KeyPackageBundle,
    ratchet_tree: bytes | None,
    psks: Psks,
    policy: GroupPolicy,
    now: int,
) -> Joined:
    """The epoch that ``welcome`` invites to; ``ratchet_tree`` if the Welcome does not carry the tree."""
    suite = bundle.signer.suite
    policy.check_suite(suite)
    if welcome.cipher_suite != suite or bundle.key_package.cipher_suite != suite:
        raise InvalidWelcome("the Welcome is for another cipher suite than the KeyPackage")
    crypto = suite_crypto(suite)
    secrets = welcome.open_secrets(crypto, bundle.reference(), bundle.init_private_key)
    _check_psk_ids(secrets.psks)
    joiner = JoinerSecrets.from_joiner(crypto, secrets.joiner_secret, psk_secret(crypto, secrets.psks, psks))
    info = welcome.open_group_info(crypto, *joiner.welcome_key(crypto))
    tree = verified_tree(crypto, info, ratchet_tree, policy, now)
    own_leaf = bundle.key_package.leaf_node
    number = next((n for n, leaf in tree.leaves() if leaf.encoded == own_leaf.encoded), None)
    if number is None:
        raise InvalidWelcome("the group's tree does not contain the KeyPackage's leaf")
    if not own_leaf.capabilities.supports_extensions(info.group_context.extensions):
        raise InvalidWelcome("the group uses an extension that this client does not support")
    private_keys = {2 * number: bundle.leaf_private_key}
    if secrets.path_secret is not None:
        private_keys |= _path_keys(tree, number, info.signer, secrets.path_secret)
    own = Membership(number, private_keys, bundle.signer.key)
    context = info.group_context
    epoch = start_epoch(crypto, context, tree, own, joiner.epoch(crypto, context), policy)
    if not hmac.compare_digest(epoch.confirmation_tag, info.confirmation_tag):
        raise InvalidWelcome("the confirmation tag does not verify")
    return Joined(epoch, secrets.psks)


def verified_tree(
    crypto: SuiteCrypto, info: GroupInfo, ratchet_tree: bytes | None, policy: GroupPolicy, now: int
) -> RatchetTree:
    """The group's tree, from the GroupInfo or given apart, once everything about both is verified."""
    policy.check_suite(crypto.suite)
    if info.group_context.cipher_suite != crypto.suite:
        raise InvalidWelcome("the group uses another cipher suite")
    encoded = find_extension(info.extensions, ExtensionType.RATCHET_TREE)
    if encoded is None:
        encoded = ratchet_tree
    if encoded is None:
        raise InvalidWelcome("the ratchet tree is neither in the GroupInfo nor given")
    if len(info.confirmation_tag) != crypto.hash_size or not info.group_context.has_valid_sizes():
        raise InvalidWelcome("a hash or tag in the GroupInfo has the wrong length")
    tree = RatchetTree.decode(crypto, encoded, policy.max_width)
    signer = tree.leaf(info.signer)
    if signer is None:
        raise InvalidWelcome("the GroupInfo is signed by a leaf that is blank")
    info.verify(crypto, signer.signature_key)
    if tree.hash() != info.group_context.tree_hash:
        raise InvalidWelcome("the ratchet tree is not the one of the group")
    rules = LeafRules(
        crypto,
        info.group_context.group_id,
        info.group_context.extensions,
        policy.authentication,
        policy.max_lifetime,
        now if policy.check_received_lifetimes else None,
    )
    rules.check_group_extensions()
    check_tree(tree, rules)
    return tree


def _check_psk_ids(ids: Sequence[PskId]) -> None:
    linked = [p for p in ids if isinstance(p, ResumptionPskId) and p.usage != ResumptionUsage.APPLICATION]
    if len(linked) > 1:
        raise InvalidWelcome("a Welcome with more than one PSK of a linked group")


def _path_keys(tree: RatchetTree, own: int, signer: int, path_secret: bytes) -> PrivateKeys:
    if own == signer:
        raise InvalidWelcome("the Welcome claims to come from this member itself")
    ancestor = tree_math.common_ancestor(own, signer)
    path = [index for index, _ in tree.filtered_direct_path(signer)]
    if ancestor not in path:
        raise InvalidWelcome("the path secret belongs to no node of the committer's path")
    nodes = []
    for index in path[path.index(ancestor) :]:
        node = tree.parent(index)
        if node is None:
            raise InvalidWelcome("a path secret was sent for a path that is blank")
        nodes.append((index, node.encryption_key))
    _, private_keys = follow_path(tree.crypto, nodes, path_secret)
    return private_keys


def join_by_commit(
    info: GroupInfo,
    ratchet_tree: bytes | None,
    credential: Credential,
    signer: SigningKey,
    capabilities: Capabilities,
    leaf_extensions: Extensions,
    *,
    resync: int | None,
    psk_ids: Sequence[PskId],
    psks: Psks,
    policy: GroupPolicy,
    now: int,
    randomness: Randomness,
    authenticated_data: bytes,
) -> tuple[bytes, Epoch]:
    """An external commit and the epoch it initiates; ``resync`` is the leaf number of an old self to remove."""
    crypto = suite_crypto(info.group_context.cipher_suite)
    tree = verified_tree(crypto, info, ratchet_tree, policy, now)
    public_key = external_pub(info.extensions)
    if public_key is None:
        raise InvalidWelcome("the GroupInfo has no external key")
    kem_output, init_secret = crypto.hpke.send_export(public_key, EXTERNAL_INIT_CONTEXT, crypto.hash_size, randomness)
    entries: list[Proposal] = [ExternalInit(kem_output)]
    if resync is not None:
        entries.append(Remove(resync))
    entries.extend(PreSharedKey(psk_id) for psk_id in psk_ids)
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    proposals = ProposalList(tuple(Sourced(proposal, sender) for proposal in entries))
    context = info.group_context
    rules = LeafRules(crypto, context.group_id, context.extensions, policy.authentication, policy.max_lifetime, now)
    check_external_list(proposals, tree, rules)

    applied = apply_proposals(proposals, tree, context.extensions)
    number = applied.tree.reserve_leaf()
    template = LeafTemplate(credential, capabilities, leaf_extensions)
    path = make_path(applied.tree, number, template, signer, context.group_id, randomness)
    rules.check_support(path.leaf_node)
    policy.authentication.validate(credential, signer.public_key, None)
    old = None if resync is None else tree.leaf(resync)
    if old is not None:
        check_replacement(old, path.leaf_node, rules)
    check_members_agree(applied.tree)
    check_width(applied.tree, policy.max_width)
    interim = interim_transcript_hash(crypto, context.confirmed_transcript_hash, info.confirmation_tag)
    transition = Transition(context, interim, applied.tree, context.extensions, proposals.psk_ids)
    update_path = seal_path(applied.tree, path, transition.provisional_context(), (), randomness)

    framed = FramedContent(
        context.group_id, context.epoch, sender, authenticated_data, Commit(tuple(entries), update_path)
    )
    signed = AuthenticatedContent.sign(crypto, WireFormat.PUBLIC_MESSAGE, framed, context, signer)
    own = Membership(number, path.private_keys, signer)
    epoch, _ = transition.complete(signed, own, init_secret, path.commit_secret, psks, policy)
    message = protect_public(crypto, signed.confirmed(epoch.confirmation_tag), context, None)
    return encode_message(message), epoch
