"""The group: one member's view of an MLS group, and everything it can do (RFC 9420).

All messages are ``bytes`` (an encoded MLSMessage). Times are seconds since the Unix epoch. Every error is a
``crypto.errors.CryptoError``, and after an error the group is what it was before.
"""

from collections.abc import Collection, Iterable, Sequence

from crypto.mls.bundles import CommitBundle, ExternalJoin
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import CipherSuite, suite_crypto
from crypto.mls.commit_creation import CommitOptions, create_commit
from crypto.mls.credentials import Credential
from crypto.mls.epoch import Membership, start_epoch
from crypto.mls.errors import (
    InvalidCommit,
    InvalidInput,
    InvalidWelcome,
    UnknownProposal,
)
from crypto.mls.extensions import Extension
from crypto.mls.framing import Sender, SenderType, WireFormat
from crypto.mls.group_context import GroupContext
from crypto.mls.group_parts import group_from_parts
from crypto.mls.group_receiving import ReceivingGroup
from crypto.mls.group_state import GroupState
from crypto.mls.joining import join_by_commit, join_by_welcome
from crypto.mls.key_package import KeyPackage, KeyPackageBundle, SignatureKeyPair, new_leaf_node
from crypto.mls.key_schedule import EpochSecrets
from crypto.mls.leaf_node import LeafNodeSource, Lifetime
from crypto.mls.linked_groups import check_link, same_members
from crypto.mls.messages import decode_message
from crypto.mls.parts import Parts
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposal_list import ProposalList, Sourced
from crypto.mls.proposal_selection import Committer, select_proposals
from crypto.mls.proposals import (
    Add,
    PreSharedKey,
    Proposal,
    ProposalOrRef,
)
from crypto.mls.psk import ExternalPskId, Psks, ResumptionPskId, ResumptionUsage
from crypto.mls.ratchet_tree import single_leaf_tree
from crypto.mls.results import CommitApplied
from crypto.mls.staged_commit import StagedCommit
from crypto.mls.state import decode_group
from crypto.mls.treekem import LeafTemplate
from crypto.mls.welcome import GroupInfo, Welcome
from crypto.randomness import Randomness

_NO_PSKS = Psks()


class Group(ReceivingGroup):
    """A group as one member sees it, made by :meth:`create`, :meth:`join`, :meth:`external_join` or :meth:`restore`.

    Changes happen in two steps. A commit made here takes effect with :meth:`apply`, after the delivery service
    accepted it; if somebody else's commit won, :meth:`process` that one and drop the own one.
    """

    __slots__ = ()

    # Becoming a member

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        credential: Credential,
        signer: SignatureKeyPair,
        lifetime: Lifetime,
        randomness: Randomness,
        *,
        extensions: Iterable[Extension] = (),
        capabilities: Capabilities | None = None,
        leaf_extensions: Iterable[Extension] = (),
        policy: GroupPolicy,
    ) -> "Group":
        """A group of one, in epoch 0 (section 11). ``group_id`` should be unique, 32 random bytes for example."""
        policy.check_suite(suite)
        if signer.suite != suite:
            raise InvalidInput("the signature key is for another cipher suite")
        crypto = suite_crypto(suite)
        extensions = tuple(extensions)
        private_key, leaf = new_leaf_node(
            crypto, credential, signer, lifetime, randomness, capabilities, tuple(leaf_extensions)
        )
        tree = single_leaf_tree(crypto, leaf)
        context = GroupContext(suite, group_id, 0, tree.hash(), b"", extensions)
        secrets = EpochSecrets.derive(crypto, randomness.random_bytes(crypto.hash_size))
        own = Membership(0, {0: private_key}, signer.key)
        epoch = start_epoch(crypto, context, tree, own, secrets, policy)
        rules = epoch.leaf_rules(policy, None, extensions)
        rules.check_group_extensions()
        rules.check(leaf, 0, LeafNodeSource.KEY_PACKAGE)
        return cls(GroupState.begin(epoch), randomness, policy)

    @classmethod
    def join(
        cls,
        welcome: bytes,
        bundle: KeyPackageBundle,
        randomness: Randomness,
        *,
        now: int,
        ratchet_tree: bytes | None = None,
        psks: Psks = _NO_PSKS,
        policy: GroupPolicy,
        previous: "Group | None" = None,
    ) -> "Group":
        """Join with the KeyPackage that the Welcome is for (section 12.4.3.1).

        ``ratchet_tree`` is needed if the Welcome does not carry the tree; ``previous`` if the new group is a branch
        or the re-initialisation of one that this client is or was in: with it, a group that is neither is refused.
        That the group id is new to this client is for the caller to check, who knows its groups.
        """
        message = decode_message(welcome)
        if not isinstance(message, Welcome):
            raise InvalidWelcome("not a Welcome")
        if previous is not None:
            psks = psks.with_resumption(previous._state.resumption_psks())
        joined = join_by_welcome(message, bundle, ratchet_tree, psks, policy, now)
        check_link(joined, None if previous is None else previous._state, policy)
        return cls(GroupState.begin(joined.epoch), randomness, policy)

    @classmethod
    def external_join(
        cls,
        group_info: bytes,
        credential: Credential,
        signer: SignatureKeyPair,
        randomness: Randomness,
        *,
        now: int,
        ratchet_tree: bytes | None = None,
        resync: int | None = None,
        psks: Psks = _NO_PSKS,
        psk_ids: Sequence[bytes] = (),
        capabilities: Capabilities | None = None,
        leaf_extensions: Iterable[Extension] = (),
        policy: GroupPolicy,
        authenticated_data: bytes = b"",
    ) -> ExternalJoin["Group"]:
        """Join by an own commit (section 12.4.3.2); the group returned counts once that commit was accepted.

        ``resync`` is the leaf number of an old self to remove; ``psk_ids`` name external PSKs in ``psks`` to inject.
        """
        info = decode_message(group_info)
        if not isinstance(info, GroupInfo):
            raise InvalidWelcome("not a GroupInfo")
        if signer.suite != info.group_context.cipher_suite:
            raise InvalidInput("the signature key is for another cipher suite")
        leaf_extensions = tuple(leaf_extensions)
        nonce_size = suite_crypto(signer.suite).hash_size
        message, epoch = join_by_commit(
            info,
            ratchet_tree,
            credential,
            signer.key,
            capabilities or Capabilities.default((e.extension_type for e in leaf_extensions), suites=(signer.suite,)),
            leaf_extensions,
            resync=resync,
            psk_ids=[ExternalPskId(psk_id, randomness.random_bytes(nonce_size)) for psk_id in psk_ids],
            psks=psks,
            policy=policy,
            now=now,
            randomness=randomness,
            authenticated_data=authenticated_data,
        )
        return ExternalJoin(message, cls(GroupState.begin(epoch), randomness, policy))

    # Committing

    def commit(
        self,
        proposals: Sequence[Proposal] = (),
        *,
        now: int,
        include_pending: bool = True,
        admit: Collection[bytes] = (),
        force_path: bool = False,
        psks: Psks = _NO_PSKS,
        wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE,
        tree_in_welcome: bool = True,
        group_info: bool = False,
        authenticated_data: bytes = b"",
        credential: Credential | None = None,
        signer: SignatureKeyPair | None = None,
        capabilities: Capabilities | None = None,
        leaf_extensions: Iterable[Extension] | None = None,
    ) -> CommitBundle:
        """Commit ``proposals`` by value, and the pending ones that are valid by reference (section 12.4.1).

        What came from outside, such as a request to join, is left alone unless its reference is in ``admit``: whoever
        commits it answers for it. The group stays in its epoch until :meth:`apply`. A path is made if the proposals
        need one, if ``force_path`` is set, or if something of this member's own leaf is to change with it.
        """
        options = CommitOptions(
            wire_format,
            force_path,
            tree_in_welcome,
            group_info,
            authenticated_data,
            self._new_leaf(credential, capabilities, leaf_extensions),
            None if signer is None else self._own_signer(signer),
        )
        return self._commit(proposals, options, psks, now, include_pending=include_pending, admit=admit)

    def _commit(
        self,
        proposals: Sequence[Proposal],
        options: CommitOptions,
        psks: Psks,
        now: int,
        *,
        include_pending: bool = False,
        admit: Collection[bytes] = (),
    ) -> CommitBundle:
        self._require_active()
        epoch = self._state.epoch
        psks = psks.with_resumption(self._state.resumption_psks())
        by_reference = []
        if include_pending:
            pending = [(reference, item.sourced) for reference, item in self._state.proposals.items()]
            if not set(admit) <= self._state.proposals.keys():
                raise UnknownProposal("no such proposal is pending")
            pending = [
                (reference, item)
                for reference, item in pending
                if item.sender.sender_type == SenderType.MEMBER or reference in admit
            ]
            rules = epoch.leaf_rules(self._policy, now, self.extensions)
            signer = options.signer or epoch.own.signer
            committer = Committer(self.own_leaf, options.leaf or LeafTemplate.of(epoch.own_leaf), signer.public_key)
            by_reference = select_proposals(pending, proposals, epoch.tree, rules, committer, psks, self._policy)
        own = Sender.member(self.own_leaf)
        entries: list[ProposalOrRef] = [reference for reference, _ in by_reference]
        items = [item for _, item in by_reference]
        created = create_commit(
            epoch,
            ProposalList((*items, *(Sourced(proposal, own) for proposal in proposals))),
            [*entries, *proposals],
            psks,
            options,
            self._policy,
            now,
            self._randomness,
        )
        return CommitBundle.of(created, epoch)

    def apply(self, commit: CommitBundle | StagedCommit) -> CommitApplied:
        """Enter the epoch of an own commit that was accepted, or of another's that :meth:`process` has verified."""
        self._require_active()
        pending = commit.pending if isinstance(commit, CommitBundle) else commit
        if pending.based_on != self._state.epoch.confirmation_tag:
            raise InvalidCommit("the commit was made in another epoch")
        if isinstance(commit, StagedCommit):
            commit.received.consume_later()
        if pending.following is None:
            self._state = self._state.closed()
        else:
            self._state = self._state.advanced(pending.following, pending.summary.reinit, self._policy)
        return pending.summary

    # Linked groups

    def branch(
        self,
        group_id: bytes,
        key_packages: Sequence[KeyPackage],
        lifetime: Lifetime,
        *,
        now: int,
        extensions: Iterable[Extension] = (),
        tree_in_welcome: bool = True,
    ) -> tuple["Group", CommitBundle]:
        """A new group of some members of this one (section 11.3): (the group in epoch 1, its commit)."""
        self._require_active()
        leaf = self._state.epoch.own_leaf
        signer = SignatureKeyPair(self.suite, self._state.epoch.own.signer)
        group = Group.create(
            self.suite,
            group_id,
            leaf.credential,
            signer,
            lifetime,
            self._randomness,
            extensions=extensions,
            capabilities=leaf.capabilities,
            leaf_extensions=leaf.extensions,
            policy=self._policy,
        )
        return self._link(group, key_packages, ResumptionUsage.BRANCH, now, tree_in_welcome=tree_in_welcome)

    def reinitialize(
        self,
        key_packages: Sequence[KeyPackage],
        credential: Credential,
        signer: SignatureKeyPair,
        lifetime: Lifetime,
        *,
        now: int,
        capabilities: Capabilities | None = None,
        leaf_extensions: Iterable[Extension] = (),
        tree_in_welcome: bool = True,
    ) -> tuple["Group", CommitBundle]:
        """The group that a committed ReInit asks for (section 11.2), with all other members' ``key_packages``."""
        reinit = self._state.reinit
        if reinit is None:
            raise InvalidInput("no re-initialisation was committed")
        group = Group.create(
            signer.suite,
            reinit.group_id,
            credential,
            signer,
            lifetime,
            self._randomness,
            extensions=reinit.extensions,
            capabilities=capabilities,
            leaf_extensions=leaf_extensions,
            policy=self._policy,
        )
        if group.suite != reinit.cipher_suite:
            raise InvalidInput("the signature key is for another cipher suite than the new group's")
        return self._link(group, key_packages, ResumptionUsage.REINIT, now, tree_in_welcome=tree_in_welcome)

    def _link(
        self,
        group: "Group",
        key_packages: Sequence[KeyPackage],
        usage: ResumptionUsage,
        now: int,
        *,
        tree_in_welcome: bool,
    ) -> tuple["Group", CommitBundle]:
        psk = PreSharedKey(ResumptionPskId(usage, self.group_id, self.epoch, group._nonce()))
        added = [member.leaf_node.credential for member in group.members]
        added += [package.leaf_node.credential for package in key_packages]
        same_members(self._state.epoch.tree, added, usage, self._policy)
        bundle = group._commit(
            [*map(Add, key_packages), psk],
            CommitOptions(tree_in_welcome=tree_in_welcome, force_path=True, linked=usage),
            Psks(resumption=self._state.resumption_psks()),
            now,
        )
        group.apply(bundle)
        return group, bundle

    # Storing

    @classmethod
    def restore(cls, data: bytes, randomness: Randomness, policy: GroupPolicy) -> "Group":
        """What :meth:`serialize` wrote. Raises DecodeError, or UnsupportedStateVersion for a newer version's state."""
        return cls(decode_group(data, policy), randomness, policy)

    @classmethod
    def restore_parts(cls, parts: Parts, randomness: Randomness, policy: GroupPolicy) -> "Group":
        """From all parts that :meth:`changes` wrote and did not delete. Raises as :meth:`restore` does."""
        state = group_from_parts(parts, policy)
        return cls(state, randomness, policy, state)

    # Inside

    def _new_leaf(
        self,
        credential: Credential | None,
        capabilities: Capabilities | None,
        leaf_extensions: Iterable[Extension] | None,
    ) -> LeafTemplate | None:
        if credential is None and capabilities is None and leaf_extensions is None:
            return None
        old = self._state.epoch.own_leaf
        return LeafTemplate(
            credential or old.credential,
            capabilities or old.capabilities,
            old.extensions if leaf_extensions is None else tuple(leaf_extensions),
        )
