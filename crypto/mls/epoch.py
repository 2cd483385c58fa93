"""One epoch as a member sees it, and the step to the next one (RFC 9420 sections 8 and 12.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.errors import InvalidCommit
from crypto.mls.extensions import Extension, Extensions, ExtensionType, external_pub_extension
from crypto.mls.framing import AuthenticatedContent
from crypto.mls.group_context import GroupContext
from crypto.mls.key_schedule import EpochSecrets, JoinerSecrets
from crypto.mls.leaf_node import LeafNode
from crypto.mls.policy import GroupPolicy
from crypto.mls.psk import PskId, Psks, psk_secret
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.secret_tree import SecretTree
from crypto.mls.signatures import SigningKey
from crypto.mls.transcript import confirmation_tag, confirmed_transcript_hash, interim_transcript_hash
from crypto.mls.tree_validation import LeafRules
from crypto.mls.treekem import PrivateKeys
from crypto.mls.welcome import GroupInfo

MAX_EPOCH = (1 << 64) - 1


@dataclass(frozen=True, slots=True, repr=False)
class Membership:
    """What is this member's own: its leaf number, its private keys by node, and its signature key."""

    leaf: int
    private_keys: PrivateKeys
    signer: SigningKey


@dataclass(frozen=True, slots=True, repr=False)
class PublicEpoch:
    """What is public of an epoch. Hashes and the tag have Nh bytes."""

    crypto: SuiteCrypto
    context: GroupContext
    tree: RatchetTree
    interim_transcript_hash: bytes
    confirmation_tag: bytes

    def following(self, context: GroupContext, tree: RatchetTree, tag: bytes) -> "PublicEpoch":
        """The epoch after this one, whose confirmation tag is taken on trust."""
        interim = interim_transcript_hash(self.crypto, context.confirmed_transcript_hash, tag)
        return PublicEpoch(self.crypto, context, tree, interim, tag)

    def leaf_rules(self, policy: GroupPolicy, now: int | None, extensions: Extensions) -> LeafRules:
        """What leaves are measured against; ``now`` None where expired ones are acceptable."""
        return LeafRules(
            self.crypto,
            self.context.group_id,
            extensions,
            policy.authentication,
            policy.max_lifetime,
            now,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Epoch(PublicEpoch):
    """The state of one epoch. Nothing in it changes but the secret tree, as messages use up its keys."""

    own: Membership
    secrets: EpochSecrets
    secret_tree: SecretTree

    @property
    def own_leaf(self) -> LeafNode:
        leaf = self.tree.leaf(self.own.leaf)
        assert leaf is not None  # who is not in the tree has no epoch
        return leaf

    def group_info(self, *, with_tree: bool, with_external_pub: bool) -> GroupInfo:
        """A signed GroupInfo for joiners (section 12.4.3)."""
        extensions = []
        if with_tree:
            extensions.append(Extension(ExtensionType.RATCHET_TREE, self.tree.encode()))
        if with_external_pub:
            extensions.append(external_pub_extension(self.secrets.external_key_pair(self.crypto)[1]))
        return GroupInfo.sign(
            self.crypto,
            self.context,
            tuple(extensions),
            self.confirmation_tag,
            self.own.leaf,
            self.own.signer,
        )


def start_epoch(
    crypto: SuiteCrypto,
    context: GroupContext,
    tree: RatchetTree,
    own: Membership,
    secrets: EpochSecrets,
    policy: GroupPolicy,
) -> Epoch:
    """The epoch with these secrets. Its confirmation tag is computed, and still to be compared by who received one."""
    tag = confirmation_tag(crypto, secrets.confirmation_key, context.confirmed_transcript_hash)
    return Epoch(
        crypto,
        context,
        tree,
        interim_transcript_hash(crypto, context.confirmed_transcript_hash, tag),
        tag,
        own,
        secrets.settled(),
        SecretTree(crypto, tree.width, secrets.encryption, policy.max_forward, policy.max_skipped),
    )


@dataclass(frozen=True, slots=True)
class Transition:
    """What a commit changes: the tree and extensions with all its changes, and the PSKs it injects."""

    before: GroupContext
    interim_before: bytes
    tree: RatchetTree
    extensions: Extensions
    psk_ids: Sequence[PskId]

    def provisional_context(self) -> GroupContext:
        """The context under which path secrets are encrypted (section 12.4.1)."""
        return self._context(self.before.confirmed_transcript_hash)

    def context_after(self, commit: AuthenticatedContent) -> GroupContext:
        """The context of the epoch that the signed ``commit`` initiates."""
        return self._context(confirmed_transcript_hash(self.tree.crypto, self.interim_before, commit))

    def _context(self, confirmed: bytes) -> GroupContext:
        if self.before.epoch == MAX_EPOCH:
            raise InvalidCommit("there are no more epochs")
        return GroupContext(
            self.before.cipher_suite,
            self.before.group_id,
            self.before.epoch + 1,
            self.tree.hash(),
            confirmed,
            self.extensions,
        )

    def complete(
        self,
        commit: AuthenticatedContent,
        own: Membership,
        init_secret: bytes,
        commit_secret: bytes,
        psks: Psks,
        policy: GroupPolicy,
    ) -> tuple[Epoch, JoinerSecrets]:
        """The epoch that the signed ``commit`` initiates. All three secrets have Nh bytes."""
        crypto = self.tree.crypto
        context = self.context_after(commit)
        injected = psk_secret(crypto, self.psk_ids, psks)
        joiner = JoinerSecrets.from_commit(crypto, init_secret, commit_secret, injected, context)
        return start_epoch(crypto, context, self.tree, own, joiner.epoch(crypto, context), policy), joiner
