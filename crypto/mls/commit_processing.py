"""Following somebody else's commit into its epoch (RFC 9420 section 12.4.2)."""

import hmac
from dataclasses import dataclass

from crypto.mls.commit_validation import ValidCommit
from crypto.mls.epoch import Epoch, Membership
from crypto.mls.errors import InvalidCommit
from crypto.mls.key_schedule import EXTERNAL_INIT_CONTEXT
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposal_list import Applied, ProposalList
from crypto.mls.proposals import ExternalInit
from crypto.mls.psk import Psks
from crypto.mls.signatures import SigningKey
from crypto.mls.treekem import PrivateKeys, open_path, surviving_keys


@dataclass(frozen=True, slots=True, repr=False)
class OwnUpdate:
    """The secrets of an Update proposal of this member, for when it is committed."""

    leaf_private_key: bytes
    signer: SigningKey


def process_commit(
    epoch: Epoch, valid: ValidCommit, own_update: OwnUpdate | None, psks: Psks, policy: GroupPolicy
) -> Epoch | None:
    """The epoch that a commit initiates, with its confirmation tag verified; None if it removes this member.

    ``own_update`` belongs to this member's own Update among the proposals. Changes nothing.
    """
    applied, transition = valid.applied, valid.transition
    if epoch.own.leaf in applied.removed:
        return None
    own = _surviving_membership(epoch, applied, own_update)
    commit_secret = epoch.crypto.zero
    if valid.commit.path is not None:
        commit_secret, learnt = open_path(
            applied.tree,
            valid.path,
            valid.commit.path,
            own.leaf,
            own.private_keys,
            transition.provisional_context(),
            applied.new_leaves,
        )
        own = Membership(own.leaf, own.private_keys | learnt, own.signer)
    init_secret = _init_secret(epoch, valid.proposals)
    following, _ = transition.complete(valid.content, own, init_secret, commit_secret, psks, policy)
    if not hmac.compare_digest(following.confirmation_tag, valid.confirmation_tag):
        raise InvalidCommit("the confirmation tag does not verify")
    return following


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
