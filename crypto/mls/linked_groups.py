"""Groups that continue another one: re-initialisation and branching (RFC 9420 sections 11.2, 11.3 and 12.4.3.1)."""

from collections.abc import Sequence

from crypto.mls.capabilities import MLS10
from crypto.mls.credentials import Credential
from crypto.mls.errors import InvalidWelcome
from crypto.mls.group_state import GroupState
from crypto.mls.joining import Joined
from crypto.mls.policy import GroupPolicy
from crypto.mls.psk import ResumptionPskId, ResumptionUsage
from crypto.mls.ratchet_tree import RatchetTree


def check_link(joined: Joined, previous: GroupState | None, policy: GroupPolicy) -> None:
    """Raise InvalidWelcome unless a group joined by Welcome is what its link to ``previous`` promises."""
    link = next(
        (
            psk
            for psk in joined.psk_ids
            if isinstance(psk, ResumptionPskId) and psk.usage != ResumptionUsage.APPLICATION
        ),
        None,
    )
    if link is None and previous is None:
        return
    if link is None:
        raise InvalidWelcome("the group is neither a branch nor the re-initialisation of the one given")
    if previous is None or previous.epoch.context.group_id != link.group_id:
        raise InvalidWelcome("the Welcome continues a group that was not given")
    context = joined.epoch.context
    if context.epoch != 1:
        raise InvalidWelcome("a linked group starts in epoch 1")
    if link.usage == ResumptionUsage.REINIT:
        reinit = previous.reinit
        if reinit is None or link.epoch != previous.epoch.context.epoch:
            raise InvalidWelcome("the group was not closed by a re-initialisation")
        agreed = (reinit.group_id, reinit.version, reinit.cipher_suite, reinit.extensions)
        if agreed != (context.group_id, MLS10, context.cipher_suite, context.extensions):
            raise InvalidWelcome("the new group is not the one that was agreed on")
    elif context.cipher_suite != previous.epoch.context.cipher_suite:
        raise InvalidWelcome("a branch keeps the cipher suite of its group")
    credentials = [leaf.credential for _, leaf in joined.epoch.tree.leaves()]
    same_members(previous.epoch.tree, credentials, link.usage, policy)


def same_members(
    tree: RatchetTree, credentials: Sequence[Credential], usage: ResumptionUsage, policy: GroupPolicy
) -> None:
    """Raise InvalidWelcome unless a branch has only members of the old ``tree``, a re-initialisation all of them."""
    same = policy.authentication.same_client
    old = [leaf.credential for _, leaf in tree.leaves()]
    known = set(old)  # equal credentials need not be judged by the application
    if not all(c in known or any(same(o, c) for o in old) for c in credentials):
        raise InvalidWelcome("a linked group has a member that the old group has not")
    new = set(credentials)
    if usage == ResumptionUsage.REINIT and not all(o in new or any(same(o, c) for c in credentials) for o in old):
        raise InvalidWelcome("a re-initialised group lacks a member of the old group")
